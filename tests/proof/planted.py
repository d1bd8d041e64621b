"""Bugs of the kinds that cost money, each as a small change of the source, and the test that must catch it.

They are planted in a copy; the repository never holds one.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.forked import Forked

ROOT = Path(__file__).parents[2]
COPIED = ("rever_api", "tasks", "flows", "deployments", "tests", "pyproject.toml", "README.md")
HERE = "tests/proof/test_promises.py::"
ASKED = "tests/tasks/effects/test_asked.py::"
RULED = "tests/tasks/policy/test_ruling.py::"
FILES = "tests/tasks/files/"
WATCHED = "tests/flows/test_watched_folder.py::"
OWN_RULES = "tests/flows/test_own_rules.py::"
SHIPPING = "tests/flows/test_order_shipping.py::"
CANCEL = "tests/flows/test_cancel_by_rule.py::"
REGISTER = "tests/flows/test_register_label.py::"
NEW_RETURN = "tests/tasks/effects/test_create_return.py::"
PARCELS = "tests/flows/test_several_parcels.py::"
REISSUE = "tests/flows/test_reissue_label.py::"
ARCHIVE = "tests/tasks/ledger/test_archiving.py::"
PASSED, FAILED = 0, 1
"""pytest's exit codes for "all passed" and "some failed"; any other is a broken run, not a caught bug."""


@dataclass(frozen=True, slots=True)
class Bug:
    """A planted bug: what is changed (file, old text, new text), and the test that fails then."""

    words: str
    test: str
    edits: tuple[tuple[str, str, str], ...]


class Outdated(Exception):  # noqa: N818 - says what happened
    """The source has changed, so that the bug cannot be planted as it is written down here."""


def plant(bug: Bug, folder: Path) -> Path:
    """Copy the sources into a folder with the bug in them. Raises `Outdated`.

    What was compiled of them comes along: it stands for a source of the same time and size. To compile all of it again
    would take most of the time of a test.
    """
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("*.sqlite*"))
        else:
            shutil.copy(source, folder / name)
    for name, old, new in bug.edits:
        path = folder / name
        text = path.read_text(encoding="utf-8")
        if text.count(old) != 1:
            raise Outdated(f"{name} holds {old!r} {text.count(old)} times, not once")
        path.write_text(text.replace(old, new), encoding="utf-8")
        for compiled in path.parent.glob(f"__pycache__/{path.stem}.*"):
            compiled.unlink()
    return folder


def run_tests(folder: Path, *tests: str) -> "subprocess.CompletedProcess[str]":
    """Run tests in a planted copy, which comes before the repository on the path."""
    return Forked(_pytest, *tests, environment=os.environ | {"TEST_WHOLE": "1"}, folder=folder).ended(timeout=110)


def _pytest(*tests: str) -> None:
    """Forget what was imported from the repository, and run the copy in the current folder."""
    for name in [name for name in sys.modules if name.partition(".")[0] in COPIED]:
        del sys.modules[name]
    sys.path.insert(0, str(Path.cwd()))
    raise SystemExit(pytest.main(["-q", "-x", "--no-header", "-p", "no:cacheprovider", *tests]))


BUGS = {
    "claim": Bug(
        "the claim removed: what somebody else has claimed is not seen, and nothing is unique",
        f"{HERE}test_a_second_run_while_the_first_is_sending_pays_nothing_twice",
        (
            (
                "tasks/ledger/records.py",
                "    made = tuple(intent_of(each) for each in intent_rows)\n",
                "    made = tuple(found for each in intent_rows if not (found := intent_of(each)).open)\n",
            ),
            (
                "tasks/ledger/records.py",
                '    shared = {"process_id": process_id, "intent_id": intent.id}\n',
                "    return []\n",
            ),
            ("tasks/ledger/writing.py", '    wanted = unit_rows("", intent)\n    if not', "    return\n    if not"),
            (
                "tasks/ledger/migrations/versions/0017_registered_labels_beside_money.py",
                '["process_id"], unique=True, sqlite_where',
                '["process_id"], unique=False, sqlite_where',
            ),
        ),
    ),
    "second read": Bug(
        "the second read removed: the call goes out on what the search showed",
        f"{HERE}test_what_the_back_office_pays_after_the_search_is_not_paid_again",
        (
            (
                "tasks/effects/perform.py",
                "    changed = [_no_longer_due(conn, look, known[look.sent.claim.process_id]) for look in looks]\n",
                '    changed = ["" for _ in looks]\n',
            ),
        ),
    ),
    "unknown retried": Bug(
        "an unknown outcome tried again like a call that was never sent",
        f"{HERE}test_a_refund_whose_answer_is_lost_is_not_sent_again",
        (
            (
                "tasks/effects/perform.py",
                "        return Outcome(claim, Result.UNKNOWN, str(error), process)\n",
                "        return await _back(desk, claim, str(error), process)\n",
            ),
        ),
    ),
    "snapshot": Bug(
        "the snapshot ignored: an earlier refund of the same amount is taken for the one that was lost",
        f"{HERE}test_an_earlier_refund_of_the_same_amount_is_not_taken_for_the_lost_one",
        (
            (
                "tasks/policy/kinds/refund.py",
                '        new = len(alike) - max(count(before, "same"), count(before, "ledger_knew"))\n',
                "        new = min(len(alike), 1)\n",
            ),
        ),
    ),
    "costs": Bug(
        "the costs claimed once per method instead of once per return",
        f"{HERE}test_costs_come_off_a_return_once_however_many_methods_it_has",
        (
            ("tasks/policy/case.py", "due_of(self.free, self.gross_before,", "due_of(self.free, ZERO,"),
            ("tasks/policy/money.py", "        before += worth\n", "        del worth\n"),
        ),
    ),
    "limiter": Bug(
        "the limiter after `sent`: the call waits for its turn once it is marked",
        f"{HERE}test_nothing_is_waited_for_between_sent_and_the_call",
        (("tasks/effects/perform.py", "desk.client.slot(calls=2, urgent=True)", "desk.client.slot(calls=1)"),),
    ),
    "synchronous": Bug(
        "`synchronous=NORMAL`: a commit may be lost with the power",
        "tests/tasks/ledger/test_ledger.py::test_sqlite_commits_reach_the_disk[sqlite]",
        (
            ("tasks/database/engines.py", '"synchronous=FULL"', '"synchronous=NORMAL"'),
            ("tasks/database/engines.py", "or 0) >= 2", "or 0) >= 1"),
        ),
    ),
    "redirect": Bug(
        "a redirect after the effect was sent taken for a wrong address, and nothing done",
        f"{HERE}test_a_redirect_after_acting_is_no_no",
        (("rever_api/messages.py", "    if effect and 300 <= status < 400:\n", "    if effect and status == 399:\n"),),
    ),
    "denied": Bug(
        "what was answered with 401 after it was sent, sent again by the next run at once",
        f"{HERE}test_what_a_proxy_denied_is_not_sent_again_before_rever_would_show_it",
        (("tasks/policy/decide.py", "    gates.told_no,\n", ""),),
    ),
    "two reads": Bug(
        "the second of two reads that differ believed, and paid",
        f"{HERE}test_of_two_reads_that_differ_neither_is_paid",
        (("tasks/policy/comparison.py", "    return tuple(_differences(first, second))\n", "    return ()\n"),),
    ),
    "restore": Bug(
        "a restore without its mark: what people answered after the backup is forgotten, and paid",
        f"{HERE}test_what_a_person_dropped_after_the_backup_is_not_paid_after_the_restore",
        (
            (
                "tasks/ledger/backup.py",
                "            until = backup.write(mark_restored, why=why, now=clock(), actor=actor, known=known)\n",
                "            until = clock()\n",
            ),
        ),
    ),
    "clock ahead": Bug(
        "a stored time believed, however far ahead it lies: what a wrong clock wrote down waits for a year",
        f"{HERE}test_what_a_worker_400_days_ahead_left_behind_is_not_forgotten",
        (("tasks/policy/clocks.py", "    return at - now > longest + DIFFER\n", "    return False\n"),),
    ),
    "review": Bug(
        "the review taken for no order to pay where REVER pays: it passes guards and counters by",
        f"{ASKED}test_a_review_where_rever_pays_meets_the_guards",
        (
            (
                "tasks/policy/kinds/review.py",
                "        if case.rules.refunds_by is RefundsBy.US:\n",
                "        if case.rules.refunds_by is not None:\n",
            ),
        ),
    ),
    "cancel": Bug(
        "a return cancelled that was paid",
        f"{ASKED}test_a_return_that_was_paid_is_not_cancelled[approved_one]",
        (
            (
                "tasks/policy/rules/cancel.py",
                "    if went_out(case.process, case.record):\n",
                "    if not case.process:\n",
            ),
        ),
    ),
    "registered label": Bug(
        "the label that is registered numbered apart from those that REVER makes: an old view makes two",
        f"{ASKED}test_a_label_is_not_registered_beside_one_that_rever_made",
        (
            (
                "tasks/policy/kinds/register_label.py",
                "        return LABEL.key(intent)\n",
                "        return super().key(intent)\n",
            ),
        ),
    ),
    "label's file": Bug(
        "a label's file sent that is not the one that was given",
        f"{ASKED}test_a_label_goes_with_its_file_if_that_is_still_the_one",
        (("tasks/effects/calls.py", "    if found.digest != label.digest:\n", "    if not found.digest:\n"),),
    ),
    "label for goods on their way": Bug(
        "a label registered for goods that are collected, or inspected",
        f"{REGISTER}test_a_return_that_waits_for_no_label_gets_none[collected-past collection]",
        (
            (
                "tasks/policy/rules/label.py",
                "(case.called_off, case.not_needed, case.by_own_rules, case.unknown_method, case.not_told)",
                "(case.called_off, case.by_own_rules, case.unknown_method, case.not_told)",
            ),
        ),
    ),
    "tracking number twice": Bug(
        "a label registered under the tracking number of another return's parcel",
        f"{REGISTER}test_a_number_of_another_return_s_parcel_is_refused",
        (("tasks/register_label.py", "    if theirs:\n", "    if not others:\n"),),
    ),
    "dearer exchange": Bug(
        "an exchange ordered for dearer goods though nobody has seen that the shopper paid the difference",
        "tests/flows/test_exchange_difference.py::"
        "test_it_is_not_ordered_before_a_person_has_seen_that_the_shopper_paid",
        (("tasks/policy/decide.py", "    payment.exchange_difference,\n", ""),),
    ),
    "dearer still": Bug(
        "an exchange ordered for goods that became dearer still after a person was told what the shopper is to pay",
        "tests/flows/test_exchange_difference.py::"
        "test_who_has_seen_that_a_difference_is_paid_has_not_seen_a_larger_one",
        (("tasks/policy/case.py", "(to_pay is None or ", "(True or "),),
    ),
    "cap of a run": Bug(
        "a run that passes its cap on money where several stores ask at the same time",
        "tests/tasks/test_budget.py::test_threads_that_ask_at_the_same_time_never_go_beyond_the_cap",
        (("tasks/budget.py", "if in_part and most <= left:", "if in_part:"),),
    ),
    "cap given on twice": Bug(
        "what was paid of a run's cap given on to other stores as if it had come to nothing",
        "tests/flows/test_shared_cap.py::test_what_is_not_paid_after_all_at_one_store_is_paid_at_others",
        (("tasks/decide_returns.py", "desk.budget.claim(item.process_id for item in decided if item.claim)", "pass"),),
    ),
    "label too many": Bug(
        "a label made while each parcel has one",
        f"{PARCELS}test_each_parcel_gets_its_label_in_one_run_and_no_run_after_it_makes_another",
        (
            (
                "tasks/policy/rules/label.py",
                "        if self.labelled < len(self.parcels):\n",
                "        if self.labelled <= len(self.parcels):\n",
            ),
        ),
    ),
    "older view of parcels": Bug(
        "labels numbered by what the ledger has made: a view that lacks the last one makes another",
        f"{PARCELS}test_while_reads_show_the_state_before_none_is_made_twice",
        (
            (
                "tasks/policy/label_case.py",
                "        return 1 + len(self.entries) + self.by_hand\n",
                "        return 1 + max((it.generation for it in self.intents if it.live), default=0)\n",
            ),
            (
                "tasks/policy/rules/label.py",
                "        if len(self.entries) < len(self.made_here):\n",
                "        if self.record is None:\n",
            ),
        ),
    ),
    "parcels fixed": Bug(
        "the parcels divided anew by a policy that came after the first label",
        f"{PARCELS}test_a_policy_that_splits_later_adds_no_label",
        (
            (
                "tasks/policy/label_case.py",
                "            return fixed.parcels or ONE_PARCEL\n",
                "            goods = to_come_back(self.process, self.ruling)\n"
                "            return packed(goods, self.lines, self.rules.policy.labels.parcels)\n",
            ),
        ),
    ),
    "new return": Bug(
        "the new return claimed by itself and not by its units, and an old view of its order believed",
        f"{NEW_RETURN}test_a_list_that_does_not_show_it_yet_makes_no_second_one",
        (
            (
                "tasks/policy/kinds/create_return.py",
                "        return [(self.name.value, folded(item.line_id), n) for item",
                "        return [(self.name.value, intent.id + item.line_id, n) for item",
            ),
            (
                "tasks/policy/kinds/create_return.py",
                "        unseen = sorted(it.made for it in case.record.intents if it.made and it.made not in shown)\n",
                "        unseen = sorted(shown - shown)\n",
            ),
        ),
    ),
    "new return's snapshot": Bug(
        "the snapshot of an order ignored: a return that was there is taken for the one that was sent",
        f"{NEW_RETURN}test_a_return_of_before_is_not_taken_for_the_lost_one",
        (
            (
                "tasks/policy/kinds/create_return.py",
                "if it.rever_process_id not in known and _since(it, intent)]\n",
                "if it.rever_process_id]\n",
            ),
        ),
    ),
    "new return's key": Bug(
        "a new return asked for once more under its key taken for another one, where its units have other numbers",
        f"{NEW_RETURN}test_what_is_asked_for_under_one_key_is_one_return_whatever_its_units",
        (
            (
                "tasks/policy/kinds/create_return.py",
                "        if (before := asked_for(case.record, wanted.source)) is not None and not before.open:\n",
                '        if (before := asked_for(case.record, "")) is not None and not before.open:\n',
            ),
        ),
    ),
    "list of returns": Bug(
        "a product of an order asked back a second time by a row that has no key of its own",
        "tests/flows/test_import_returns.py::test_an_order_cut_in_the_middle_is_not_asked_back_twice",
        (
            (
                "tasks/files/return_verdicts.py",
                "    if not it.own and any(alive[sku] for sku in it.units):\n",
                "    if it.own and any(alive[sku] for sku in it.units):\n",
            ),
        ),
    ),
    "declined": Bug(
        "a line paid that a rule of the merchant's declines",
        f"{RULED}test_a_declined_line_is_not_paid_and_the_others_are",
        (
            (
                "tasks/policy/verdict.py",
                "    return declined or isinstance(add_on, Decided)\n",
                "    return declined and isinstance(add_on, Decided)\n",
            ),
        ),
    ),
    "moment": Bug(
        "a moment to pay that has not come taken for one that has",
        f"{RULED}test_days_after_the_inspection_are_waited_for_and_the_return_is_not_forgotten[day 2]",
        (
            (
                "tasks/policy/ruling.py",
                "        if self._is_due(pay) is Truth.YES:\n",
                "        if self._is_due(pay) is not Truth.UNKNOWN:\n",
            ),
        ),
    ),
    "scan taken back": Bug(
        "days counted from a scan that REVER has taken back",
        "tests/flows/test_paid_by_parcels.py::test_a_scan_that_is_taken_back_before_it_is_paid_waits_for_the_next",
        (
            (
                "tasks/policy/tracking.py",
                "        scanned = (scanned or at) if stage >= 1 else None\n",
                "        scanned = scanned or (at if stage >= 1 else None)\n",
            ),
        ),
    ),
    "arrival dated back": Bug(
        "an arrival dated by the return's last change at REVER, which may be of something before it, not by its sight",
        "tests/flows/test_paid_by_parcels.py::test_three_days_after_the_arrival_was_seen_and_not_a_day_sooner"
        "[seen two days late]",
        (
            (
                "tasks/policy/record.py",
                "        return self.seen_at if self.told_at is None else min(self.told_at, self.seen_at)\n",
                "        return self.as_of or self.seen_at\n",
            ),
        ),
    ),
    "forgotten moment": Bug(
        "a return taken for settled whose units are paid later",
        f"{RULED}test_days_after_the_inspection_are_waited_for_and_the_return_is_not_forgotten[at once]",
        (
            (
                "tasks/policy/rules/payment.py",
                "    if case.free or any(line.later or not line.reviewed for line in lines):\n",
                "    if case.free or any(not line.reviewed for line in lines):\n",
            ),
        ),
    ),
    "file again": Bug(
        "the rows of earlier files forgotten: a file that comes again reviews the line's next unit",
        f"{FILES}test_verdicts.py::test_the_same_file_and_one_row_more_of_it_are_told_apart",
        (
            (
                "tasks/files/verdicts.py",
                "    taken = _rows_known(units, before)\n",
                "    taken = _rows_known((), before)\n",
            ),
        ),
    ),
    "more than there are": Bug(
        "more units of a line approved than it has",
        f"{FILES}test_verdicts.py::test_what_contradicts_is_held_with_both_sides",
        (
            (
                "tasks/files/verdicts.py",
                "        if len(line.claims) > line.room:\n",
                "        if len(line.claims) > line.line.quantity:\n",
            ),
        ),
    ),
    "unknown word": Bug(
        "a word of a warehouse's that nobody has mapped taken for an approval",
        f"{FILES}test_inspections.py::test_what_a_row_lacks_is_said_and_nothing_is_guessed",
        (
            (
                "tasks/files/inspections.py",
                "        meaning = mapping.words.get(fold(word))\n",
                '        meaning = mapping.words.get(fold(word), Outcome(status="APPROVED"))\n',
            ),
        ),
    ),
    "rows lost": Bug(
        "a file put away though its rows that come back were never written",
        f"{WATCHED}test_all_new_files_are_taken_and_put_away_and_the_refused_rows_come_back",
        (
            (
                "tasks/receive_files.py",
                "    if rows and hand_back(inbox, file, read, rows, notes) is None:\n",
                "    if rows is None:\n",
            ),
        ),
    ),
    "moved too early": Bug(
        "a file put away though rows of it wait for what passes by itself",
        f"{WATCHED}test_rows_that_wait_keep_the_file",
        (
            (
                "tasks/receive_files.py",
                "    if found.passing:\n",
                "    if found.passing > sum(found.counts.values()):\n",
            ),
        ),
    ),
    "approval": Bug(
        "an approval that a rule of the merchant's wants not asked for",
        f"{RULED}test_an_approval_is_asked_for_once_and_holds_only_above_the_bound",
        (("tasks/policy/decide.py", "    payment.approval,\n", ""),),
    ),
    "unknown": Bug(
        "a fact that nobody tells taken for a no",
        f"{RULED}test_a_missing_fact_holds_only_where_it_decides",
        (("tasks/policy/decide.py", "    payment.needs_facts,\n", ""),),
    ),
    "method": Bug(
        "a compensation paid that the merchant's rules forbid",
        f"{RULED}test_a_wish_that_may_not_be_becomes_the_next_method",
        (
            (
                "tasks/policy/case.py",
                "        method = wish if self.ruling is None else self.ruling.method(line.id, wish) or wish\n",
                "        method = wish\n",
            ),
        ),
    ),
    "fee": Bug(
        "costs taken off a line that a rule of the merchant's frees of them",
        f"{RULED}test_a_line_that_bears_no_costs_leaves_them_to_the_others_and_they_never_exceed_those",
        (
            (
                "tasks/policy/ruling.py",
                "        return self.decided(line_id, ActionKind.FEE, NoFee) is None\n",
                "        return bool(line_id)\n",
            ),
        ),
    ),
    "fee twice": Bug(
        "a unit that bore no costs counted as one that did: later ones bear less than is due",
        f"{OWN_RULES}test_costs_are_borne_by_the_lines_that_a_rule_leaves_them_to",
        (("tasks/policy/case.py", "self._gross(intent) - intent.exempt for", "self._gross(intent) for"),),
    ),
    "bonus": Bug(
        "a bonus paid on top of money",
        f"{RULED}test_credit_gets_more_than_the_value_and_money_never_does",
        (
            (
                "tasks/policy/ruling.py",
                "        return found.percent or ZERO if found and method in found.methods else ZERO\n",
                "        return found.percent or ZERO if found else ZERO\n",
            ),
        ),
    ),
    "fee in percent": Bug(
        "a fee in percent worked out anew for each refund: its parts are not the fee of all",
        f"{OWN_RULES}test_a_fee_in_percent_of_a_line_that_is_refunded_in_two_parts_is_that_of_all_to_the_cent",
        (
            (
                "tasks/policy/case.py",
                "        return with_fees(bounded, self._worth_with_fees)\n",
                "        return with_fees(bounded, {})\n",
            ),
        ),
    ),
    "sum twice": Bug(
        "the sum on top of credit given with each of a return's refunds",
        f"{OWN_RULES}test_a_sum_on_top_of_credit_is_paid_once_for_the_return",
        (("tasks/policy/case.py", "any(it.bonus_sum for it in intents)", "False"),),
    ),
    "shipping": Bug(
        "the shipping of an order refunded with each of its returns",
        f"{SHIPPING}test_of_two_returns_of_an_order_one_has_the_shipping",
        (
            (
                "tasks/policy/order_shipping.py",
                "        if part.process_id != process_id\n",
                "        if not process_id\n",
            ),
        ),
    ),
    "shipping unseen": Bug(
        "two returns of an order that do not know of each other both given its shipping",
        "tests/tasks/ledger/test_order_shipping.py::"
        "test_of_two_returns_that_do_not_know_of_each_other_one_has_it[sqlite]",
        (
            (
                "tasks/ledger/writing.py",
                "            self.shipping.append(shipping_row(intent.shipping, **about))\n",
                "            self.shipping += [shipping_row(intent.shipping, **about)][: self.loaded.final]\n",
            ),
        ),
    ),
    "shipping by hand": Bug(
        "the shipping of an order paid by hand once for each of its returns that asked about it",
        f"{SHIPPING}test_of_two_holds_of_an_order_s_shipping_only_one_is_paid_by_hand",
        (
            (
                "tasks/ledger/answers.py",
                "        if intent.state is IntentState.DONE_BY_HAND:\n            shipping = ",
                "        if not hold.process_id:\n            shipping = ",
            ),
        ),
    ),
    "shipping planned": Bug(
        "a plan that counts the shipping of an order with each of its returns",
        f"{SHIPPING}test_a_plan_over_two_returns_of_an_order_counts_its_shipping_once",
        (
            (
                "tasks/decide_returns.py",
                "            if refund.shipping is not None:\n",
                "            if not pending.store:\n",
            ),
        ),
    ),
    "shipping denied": Bug(
        "an order's shipping given to another return though a proxy denied it after REVER had paid it",
        f"{SHIPPING}test_where_a_proxy_said_no_the_shipping_stays_with_that_return[set_up_after]",
        (
            (
                "tasks/policy/order_shipping.py",
                "    return part.sent_at is not None and not come(later(part.sent_at, _MAY_SHOW), now, _MAY_SHOW)\n",
                "    return part.live and now > now\n",
            ),
        ),
    ),
    "earlier refunds": Bug(
        "what the ledger has refunded to a shopper not counted as long as REVER does not show it",
        "tests/tasks/policy/test_earlier_returns.py::"
        "test_each_refund_counts_once_however_many_of_the_desk_s_own_rever_shows",
        (("tasks/policy/earlier_returns.py", "    for intent in found.unshown:\n", "    for intent in ():\n"),),
    ),
    "told each day": Bug(
        "people told each day of the same return that stands still",
        "tests/tasks/ledger/test_reminders.py::"
        "test_it_is_told_once_however_its_days_and_its_first_moment_change[sqlite]",
        (
            (
                "tasks/ledger/reminders.py",
                "if (it.process_id, str(it.stage), it.about) in new",
                "if it.process_id or new",
            ),
        ),
    ),
    "reissue again": Bug(
        "a form to replace a label that is sent again taken for one about the new label",
        f"{REISSUE}test_the_same_form_again_does_nothing_however_old_it_is",
        (
            (
                "tasks/policy/rules/reissue.py",
                "    if (before := _first_reissue(record)) is not None:\n",
                "    if (before := _first_reissue(record)) is not None and not entries:\n",
            ),
        ),
    ),
    "reissue scanned": Bug(
        "a label replaced though its parcel was scanned between the claim and the call",
        f"{REISSUE}test_where_the_old_one_is_scanned_first_it_is_withdrawn",
        (
            (
                "tasks/policy/kinds/label.py",
                "        if content is None or not isinstance(decision, MakeLabel):\n            return False\n",
                "        if content is None or not isinstance(decision, MakeLabel):\n"
                "            return content is not None and content.replaces is not None\n",
            ),
        ),
    ),
    "replaced counts": Bug(
        "a replaced label taken for one that is there, once the new one was cancelled",
        f"{REISSUE}test_the_same_form_again_does_nothing_however_old_it_is",
        (
            (
                "tasks/policy/replaced.py",
                "        gone |= set(family) - {used[0] if used else max(family) if len(family) > 1 else 0}\n",
                "        gone |= {used[0] if used else max(family)}\n",
            ),
        ),
    ),
    "another end": Bug(
        "a return that ended otherwise taken for the one whose cancellation was lost",
        "tests/flows/test_cancel_return.py::test_another_end_is_not_taken_for_the_cancellation_that_was_lost",
        (
            (
                "tasks/policy/kinds/cancel.py",
                "        if status == ProcessStatus.CANCELED:\n            return Seen(",
                "        if status in ENDED:\n            return Seen(",
            ),
        ),
    ),
    "called off": Bug(
        "a return called off though its parcel was scanned between the search and the call",
        f"{CANCEL}test_a_scan_between_the_search_and_the_call_wins",
        (("tasks/policy/kinds/cancel.py", "        if content.policy_rule:\n", "        if not content:\n"),),
    ),
    "called off, paid": Bug(
        "a return paid by an old view of it after it was called off",
        f"{CANCEL}test_an_older_view_of_it_is_not_paid_and_gets_no_label",
        (("tasks/policy/decide.py", "    gates.called_off,\n", ""),),
    ),
    "kept": Bug(
        "a label made for goods that the shopper keeps",
        f"{RULED}test_goods_that_the_shopper_keeps_are_paid_at_once_and_get_no_label",
        (
            (
                "tasks/policy/rules/label.py",
                "        if not to_come_back(self.process, self.ruling):\n",
                "        if False:\n",
            ),
        ),
    ),
    "stock": Bug(
        "the rule for an exchange that is out of stock passed over",
        f"{RULED}test_an_exchange_out_of_stock_goes_by_its_line_s_rule",
        (
            (
                "tasks/policy/case.py",
                "        ruled = self.ruling.out_of_stock(line_id) if self.ruling else None\n",
                "        ruled = None\n",
            ),
        ),
    ),
    "guard": Bug(
        "the guard outside the claim's transaction: it judges by what the day had come to before",
        f"{HERE}test_a_cap_per_day_counts_what_was_claimed_a_moment_ago",
        (
            (
                "tasks/ledger/guards.py",
                "        days = lock_days(conn, (_day(draft, refund) for draft, refund in asked))\n",
                "        read = lock_days(conn, (_day(draft, refund) for draft, refund in asked))\n"
                '        before = cls.__dict__.get("_read_before") or {}\n'
                "        cls._read_before = {**read, **before}  # type: ignore[attr-defined]\n"
                "        days = {day: cls._read_before[day] for day in read}  # type: ignore[attr-defined]\n",
            ),
        ),
    ),
    "archive not compared": Bug(
        "rows leave the ledger that came after the archive was written",
        f"{ARCHIVE}test_a_return_that_changes_while_it_is_archived_is_written_anew_or_left[sqlite-False]",
        (
            (
                "tasks/ledger/archiving.py",
                "key_of(table, row)) != written.tables[table]:",
                "key_of(table, row)) == [None]:",
            ),
        ),
    ),
    "archived paid unasked": Bug(
        "an archived return that lives again is paid without a person",
        "tests/flows/test_archive_ledger.py::test_what_was_paid_stays_paid_and_what_is_new_is_asked_about_once",
        (("tasks/policy/decide.py", "    gates.archived,\n", ""),),
    ),
}
"""Name -> bug."""
