"""The report of a run that tells the stories of returns."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

from tasks.policy.facts import counted
from tasks.reporting.report import RunReport
from tasks.reporting.story import Story, story_json, story_lines, story_page


@dataclass
class StoryReport(RunReport):
    """The account of a run that explains returns, with a story of each. Without REVER's own words."""

    stories: list[Story] = field(default_factory=list)

    thing: ClassVar[str] = "return"

    @property
    def page(self) -> str:
        """The stories as markdown, for Prefect's UI."""
        many = (
            f"{counted(len(self.stories), 'return')} found, one after the other.\n\n" if len(self.stories) > 1 else ""
        )
        return many + "\n---\n\n".join(story_page(story) for story in self.stories)

    def as_json(self) -> dict[str, Any]:
        """The object that `--json` prints, with a story of each return. Times are ISO 8601, in UTC."""
        return {**super().as_json(), "stories": [story_json(story) for story in self.stories]}

    def results(self) -> list[str]:
        """The stories."""
        return [line for story in self.stories for line in story_lines(story)]

    def result(self) -> str:
        """What each return waits for, in a few words."""
        told = [f"{story.title}, waits for {story.waits_for}" for story in self.stories]
        return "; ".join(told) or self.counted
