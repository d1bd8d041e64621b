"""The one text of every notice, as Jinja for Prefect's server: a desk's event has its sentence, a run its state."""

_SENTENCE = (
    "{% if event.payload.sentence %}{{ event.payload.sentence }}"
    "{% else %}{{ event.resource['prefect.resource.name'] }} is {{ event.resource['prefect.state-name'] }}: "
    "{{ event.resource['prefect.state-message'] | truncate(400) }}{% endif %}"
)

SUBJECT = "rever-returns: " + _SENTENCE
BODY = (
    _SENTENCE
    + """

{{ event.event }} at {{ event.occurred.strftime('%Y-%m-%d %H:%M') }} UTC
{% if event.payload.answers %}{% for answer in event.payload.answers %}{{ answer }}: {{ event.payload.answers[answer] }}
{% endfor %}{% endif %}{% if event.payload.process_id %}Why: rever-returns why {{ event.payload.process_id }}
{% endif %}{% if event.payload.link %}At REVER: {{ event.payload.link }}
{% endif %}{% if flow_run %}The run: {{ flow_run | ui_url }}
{% endif %}All that waits for a person: rever-returns holds
"""
)
