"""import-returns: a shop's file becomes returns at REVER, each once, whatever happens to the file or the run."""

import csv
import json
import logging
import stat
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fsspec
import pytest

from flows.run import RunFailedError, run_flow
from rever_api.sandbox.faults import Fault, FaultPlan
from tasks.desk import WrongNameError
from tasks.ledger import Actor, Forgotten, forget_email, stop_switch
from tasks.reporting.report import ReturnsReport
from tasks.reporting.story_report import StoryReport
from tests.books import LedgerState
from tests.judge import assert_promises_kept
from tests.world import Start, World

FLOW = "import-returns"
WORDS = """\
reasons: {Too small: WRONG_SIZE_TOO_SMALL, Faulty: DEFECTIVE}
methods: {Card: ORIGINAL_PAYMENT_METHOD, Voucher: GIFT_CARD}
"""
PER_ORDER = (
    "columns: {order: Order, email: Email, sku: SKU, quantity: Qty, reason: Why, method: How}\none_return_per: order\n"
)
PER_KEY = "columns: {key: Ref, order: Order, email: Email, sku: SKU, quantity: Qty, reason: Why, method: How}\n"
ADA = "Ada.Almqvist@example.com"
ROWS = [
    ["R-1", "#N1", ADA, "ACME-001-M", "1", "Too small", "Card"],
    ["R-1", "#N1", ADA, "ACME-002-S", "2", "Faulty", "Card"],
    ["R-2", "#N2", "bruno@example.com", "ACME-001-M", "1", "Faulty", "Voucher"],
    ["R-3", "#N3", "carla@example.com", "ACME-003-L", "1", "Too small", "Card"],
]
HEADER = ["Ref", "Order", "Email", "SKU", "Qty", "Why", "How"]


def shop(start_world: Start, settings: dict[str, str] | None = None) -> World:
    """A shop with one return that has nothing to do with these orders."""
    world = start_world(settings=settings, shops=("acme",), returns=34)
    world.keep_only(["collected"])
    return world


def sent(
    world: World,
    folder: Path,
    rows: Sequence[Sequence[str]] = ROWS,
    mapping: str = PER_ORDER,
    mode: str = "act",
    name: str = "returns.csv",
) -> ReturnsReport:
    """Run the flow over a file of these rows."""
    with (folder / name).open("w", newline="") as file:
        csv.writer(file).writerows([HEADER, *rows])
    (folder / "m.yaml").write_text(mapping + WORDS)
    return world.run(FLOW, mode=mode, file=str(folder / name), mapping=str(folder / "m.yaml"))


def made(world: World) -> list[str]:
    """The returns that REVER has made for us: order, and SKU x units."""
    with world.sandbox.sandbox.locked():
        found = [world.sandbox.sandbox.find(it.process_id).process for it in world.sandbox.books if _ours(it)]
    goods = [
        (it, Counter({line.product.sku: line.quantity for line in it.return_line_items if line.product}))
        for it in found
    ]
    return [f"{it.order_name} {', '.join(f'{many} {sku}' for sku, many in sorted(each.items()))}" for it, each in goods]


def _ours(effect: object) -> bool:
    return getattr(effect, "operation", "") == "createReturn" and not getattr(effect, "foreign", True)


ALL = ["#N1 1 ACME-001-M, 2 ACME-002-S", "#N2 1 ACME-001-M", "#N3 1 ACME-003-L"]


def test_a_file_becomes_returns(start_world: Start, tmp_path: Path) -> None:
    world = shop(start_world)
    imported = sent(world, tmp_path)
    assert imported.headline == "4 rows read = 4 created + 0 already there + 0 refused + 0 held: 3 returns"
    assert sorted(made(world)) == ALL
    world.act()
    assert_promises_kept(world)
    report = run_flow("explain-return", {"process_id": "#N2"}, prefect=False, clock=world.clock)
    assert isinstance(report, StoryReport)
    (of_order,) = (it for it in report.stories if it.process_id == "new:acme:n2")
    assert of_order.waits_for == "nothing; a return that was made of it has a story of its own"


def test_a_plan_writes_nothing_anywhere(start_world: Start, tmp_path: Path) -> None:
    world = shop(start_world)
    rows = [*ROWS, ["R-9", "#N9", "nobody", "ACME-001-M", "1", "Faulty", "Card"]]
    report = sent(world, tmp_path, rows, mode="plan")
    assert report.headline == "5 rows read = 4 to create + 0 already there + 1 refused + 0 held: 3 returns"
    assert made(world) == []
    assert not world.ledger_file.exists()
    assert {path.name for path in tmp_path.iterdir()} == {"returns.csv", "m.yaml"}


@pytest.mark.parametrize(
    "mapping", [PER_ORDER, PER_KEY, PER_ORDER.replace("per: order", "per: row")], ids=["order", "key", "row"]
)
def test_the_same_rows_again_in_halves_or_grown_make_nothing_twice(
    start_world: Start, tmp_path: Path, mapping: str
) -> None:
    world = shop(start_world)
    sent(world, tmp_path, ROWS[:2], mapping)
    whole = sent(world, tmp_path, ROWS, mapping)
    assert "4 rows read = 2 created + 2 already there + 0 refused + 0 held" in whole.headline
    more = [[f"R-{n}", f"#M{n}", f"m{n}@example.com", "ACME-001-S", "1", "Faulty", "Card"] for n in range(4, 7)]
    grown = sent(world, tmp_path, [*reversed(ROWS), *more], mapping)
    assert "7 rows read = 3 created + 4 already there + 0 refused + 0 held" in grown.headline
    again = sent(world, tmp_path, [*ROWS[2:], *more], mapping)
    assert "5 rows read = 0 created + 5 already there + 0 refused + 0 held" in again.headline
    units = Counter[str]()
    with world.sandbox.sandbox.locked():
        for effect in (it for it in world.sandbox.books if _ours(it)):
            process = world.sandbox.sandbox.find(effect.process_id).process
            units.update(
                {
                    f"{process.order_name} {line.product.sku}": line.quantity
                    for line in process.return_line_items
                    if line.product
                }
            )
    assert units == Counter({f"{row[1]} {row[3]}": int(row[4]) for row in [*ROWS, *more]})
    assert list(tmp_path.glob("*.refused*")) == []
    world.act()
    assert_promises_kept(world)


def test_an_order_cut_in_the_middle_is_not_asked_back_twice(start_world: Start, tmp_path: Path) -> None:
    world = shop(start_world)
    sent(world, tmp_path, ROWS[:1])
    whole = sent(world, tmp_path, ROWS[:2])
    assert "2 rows read = 0 created + 0 already there + 2 refused" in whole.headline
    back = (tmp_path / "returns.refused.csv").read_text("utf-8-sig")
    assert "SKU ACME-001-M of this order is asked back by retp_" in back
    assert "needs a key of its own" in back
    assert made(world) == ["#N1 1 ACME-001-M"]


def test_three_workers_with_the_same_file_make_nothing_twice(start_world: Start, tmp_path: Path) -> None:
    world = shop(start_world)
    sent(world, tmp_path, mode="plan")
    values = {"mode": "act", "file": str(tmp_path / "returns.csv"), "mapping": str(tmp_path / "m.yaml")}
    with ThreadPoolExecutor(3) as workers:
        ran = [workers.submit(run_flow, FLOW, values, prefect=False) for _ in range(3)]
    assert [each.result().broke_off for each in ran] == ["", "", ""]
    counts = [str(getattr(each.result(), "headline", "")).split(" created")[0].split()[-1] for each in ran]
    assert sum(map(int, counts)) <= len(ROWS), "what another worker made is there already"
    assert sorted(made(world)) == ALL
    world.act()
    assert_promises_kept(world)


def test_a_second_return_of_a_product_needs_a_key_of_its_own(start_world: Start, tmp_path: Path) -> None:
    world = shop(start_world)
    first, second = ROWS[2], ["R-7", *ROWS[2][1:]]
    report = sent(world, tmp_path, [first, second], PER_KEY)
    assert "2 rows read = 2 created" in report.headline
    assert made(world) == ["#N2 1 ACME-001-M"] * 2
    again = sent(world, tmp_path, [second, first], PER_KEY)
    assert "2 rows read = 0 created + 2 already there" in again.headline
    alone = sent(world, tmp_path, [["R-8", *ROWS[2][1:]]], PER_KEY)
    assert "1 row read = 1 created" in alone.headline
    assert made(world) == ["#N2 1 ACME-001-M"] * 3


def test_rows_that_got_keys_later_are_the_same_returns(start_world: Start, tmp_path: Path) -> None:
    world = shop(start_world)
    sent(world, tmp_path)
    again = sent(world, tmp_path, mapping=PER_KEY)
    assert "0 created + 4 already there" in again.headline
    assert sorted(made(world)) == ALL


def test_what_the_shopper_has_started_is_there_already(start_world: Start, tmp_path: Path) -> None:
    world = shop(start_world)
    with world.sandbox.sandbox.locked():
        (stored,) = world.sandbox.sandbox.processes.values()
        line = stored.process.return_line_items[0]
        assert line.product is not None
        mine = line.model_copy(update={"product": line.product.model_copy(update={"sku": "ACME-001-M"}), "quantity": 1})
        shopper = stored.process.shopper
        assert shopper is not None
        email = shopper.model_copy(update={"email": "bruno@example.com"})
        world.sandbox.sandbox.change(stored, order_name="#N2", return_line_items=(mine,), shopper=email)
    report = sent(world, tmp_path, [ROWS[2]])
    assert "0 created + 1 already there" in report.headline
    other = ["R-5", "n2", "eve@example.com", "ACME-002-S", "1", "Faulty", "Card"]
    wrong = sent(world, tmp_path, [other])
    assert "1 refused" in wrong.headline
    assert "the e-mail is not that of the order's other return, retp_" in (tmp_path / "returns.refused.csv").read_text()
    assert made(world) == []
    right = sent(world, tmp_path, [[*other[:2], "Bruno@example.com", *other[3:]]])
    assert "1 created" in right.headline
    assert made(world) == ["#N2 1 ACME-002-S"], "REVER's spelling of the order"


def test_what_is_refused_comes_back_and_is_taken_once_it_is_mended(start_world: Start, tmp_path: Path) -> None:
    world = shop(start_world)
    rows = [*ROWS[:1], [*ROWS[1][:5], "Did not like it", "Card"], [*ROWS[2][:3], "NO-SUCH", *ROWS[2][4:]], ROWS[3]]
    report = sent(world, tmp_path, rows)
    assert report.headline == "4 rows read = 1 created + 0 already there + 3 refused + 0 held: 1 return"
    back = tmp_path / "returns.refused.csv"
    assert stat.S_IMODE(back.stat().st_mode) == 0o600
    text = back.read_text("utf-8-sig")
    assert "row 3 is of the same return, and it is refused" in text
    assert "the word 'Did not like it' of 'Why' is not in the mapping (`reasons`)" in text
    assert "not sold by this shop" in text, "REVER's own words"
    assert "NO-SUCH" not in "".join(report.lines())
    back.write_text(text.replace("Did not like it", "Faulty").replace("NO-SUCH", "ACME-001-M"))
    world.pass_time(120)
    mended = world.run(FLOW, mode="act", file=str(back), mapping=str(tmp_path / "m.yaml"))
    assert "3 rows read = 3 created" in mended.headline
    assert sorted(made(world)) == ALL
    world.act()
    assert_promises_kept(world)


def test_rever_s_words_about_a_row_are_forgotten_with_its_shopper(start_world: Start, tmp_path: Path) -> None:
    world = shop(start_world)
    sent(world, tmp_path, [[*ROWS[2][:3], "NO-SUCH", *ROWS[2][4:]]])
    for words in (1, 0):
        forgotten = world.write(forget_email, "Bruno@example.com", now=world.clock(), actor=Actor("ada"))
        assert isinstance(forgotten, Forgotten)
        assert forgotten.words == words


def test_a_plan_says_what_will_be_paid_unseen(start_world: Start, tmp_path: Path) -> None:
    world = shop(start_world)
    lost = PER_ORDER + WORDS.replace("Faulty: DEFECTIVE", "Faulty: NOT_RECEIVED")
    (tmp_path / "m.yaml").write_text(lost)
    sent(world, tmp_path, mode="plan")
    (tmp_path / "m.yaml").write_text(lost)
    report = world.run(FLOW, mode="plan", file=str(tmp_path / "returns.csv"), mapping=str(tmp_path / "m.yaml"))
    (note,) = (note for note in report.notes if "NOT_RECEIVED" in note)
    assert note.startswith("2 returns of goods that never arrived")


def test_a_method_that_the_store_does_not_offer_is_refused(start_world: Start, tmp_path: Path) -> None:
    world = shop(start_world)
    with world.sandbox.sandbox.locked():
        settings = world.sandbox.sandbox.shops["acme"].settings
        object.__setattr__(settings.refund, "methods", ("ORIGINAL_PAYMENT_METHOD",))
    report = sent(world, tmp_path)
    assert "3 created + 0 already there + 1 refused" in report.headline
    assert "GIFT_CARD is not offered by the store" in (tmp_path / "returns.refused.csv").read_text("utf-8-sig")


def test_more_than_was_bought_is_refused_where_the_shop_s_table_tells(start_world: Start, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text("order_name,items\n#N1,ACME-001-M:1|ACME-002-S:1\n#N2,ACME-009-L:1\n")
    (tmp_path / "policy.yaml").write_text("default: {facts: {orders: orders.csv}}\n")
    world = shop(start_world, {"REVER_POLICY": str(tmp_path / "policy.yaml")})
    report = sent(world, tmp_path)
    assert "1 created + 0 already there + 3 refused" in report.headline
    text = (tmp_path / "returns.refused.csv").read_text("utf-8-sig")
    assert "it asks for 2 of SKU ACME-002-S; 1 bought, 0 asked back already" in text
    assert "SKU ACME-001-M is not in the order" in text


@pytest.mark.parametrize("fault", ["acts_answer_lost", "error_500_after", "acts_later", "cut_body"])
def test_a_lost_answer_is_found_and_not_sent_again(start_world: Start, tmp_path: Path, fault: str) -> None:
    world = shop(start_world)
    world.sandbox.set_faults(f"createReturn:2:{fault}")
    first = sent(world, tmp_path)
    assert "4 rows read = 4 created" in first.headline or "held" in first.headline
    world.pass_time(5)
    again = sent(world, tmp_path)
    assert "4 rows read = 0 created + 4 already there" in again.headline
    assert sorted(made(world)) == ALL
    world.act()
    assert_promises_kept(world)


def test_one_that_rever_does_not_show_is_held_and_never_sent_again_by_itself(
    start_world: Start, tmp_path: Path
) -> None:
    world = shop(start_world)
    world.sandbox.set_faults("createReturn:1:error_500_before")
    first = sent(world, tmp_path, ROWS[3:])
    assert first.headline == "1 row read = 0 created + 0 already there + 0 refused + 1 held"
    again = sent(world, tmp_path, ROWS[3:])
    assert "1 held" in again.headline
    world.pass_time(120)
    later = sent(world, tmp_path, ROWS[3:])
    assert "1 held" in later.headline
    assert made(world) == []
    (hold,) = world.holds()
    about = {"hold_id": hold.hold_id, "version": str(hold.version), "by": "ada", "reason": "x", "reference": "y"}
    assert world.run("answer-hold", mode="act", answer="send_again", **about).failures == []
    assert "1 created" in sent(world, tmp_path, ROWS[3:]).headline
    assert made(world) == ["#N3 1 ACME-003-L"]
    world.act()
    assert_promises_kept(world)


def test_one_that_a_person_gave_up_is_not_made(start_world: Start, tmp_path: Path) -> None:
    world = shop(start_world)
    world.sandbox.set_faults("createReturn:1:error_500_before")
    sent(world, tmp_path, ROWS[3:])
    world.pass_time(120)
    sent(world, tmp_path, ROWS[3:])
    (hold,) = world.holds()
    about = {"hold_id": hold.hold_id, "version": str(hold.version), "by": "ada", "reason": "x", "reference": "y"}
    world.run("answer-hold", mode="act", answer="drop", **about)
    assert "1 refused" in sent(world, tmp_path, ROWS[3:]).headline
    assert "1 created" in sent(world, tmp_path, ROWS[3:], PER_KEY).headline


def test_an_old_list_makes_no_second_return(start_world: Start, tmp_path: Path) -> None:
    world = shop(start_world)
    sent(world, tmp_path, ROWS[2:3], PER_KEY)
    world.sandbox.set_faults(FaultPlan(1.0, weights={Fault.STALE_READ: 1}))
    again = sent(world, tmp_path, [ROWS[2], ["R-8", *ROWS[2][1:]]], PER_KEY)
    assert "0 created + 1 already there" in again.headline
    assert len(made(world)) == 1


def test_the_stop_switch_stops_it(start_world: Start, tmp_path: Path) -> None:
    world = shop(start_world)
    world.write(stop_switch, on=True, by="olga", why="a wrong file", now=world.clock())
    for mode in ("plan", "act"):
        report = sent(world, tmp_path, mode=mode)
        assert "0 to create" in report.headline or "0 created" in report.headline
    assert made(world) == []
    assert "a wrong file" in (tmp_path / "returns.refused.csv").read_text("utf-8-sig")


def test_where_rever_pays_at_the_start_none_is_made(start_world: Start, tmp_path: Path) -> None:
    world = start_world(
        settings={"REVER_REFUNDS_BY": "rever"}, shops=("acme",), returns=34, timings={"acme": "ON_START"}
    )
    report = sent(world, tmp_path)
    assert "0 created + 0 already there + 4 refused" in report.headline
    assert "REVER pays as soon as such a return starts" in (tmp_path / "returns.refused.csv").read_text("utf-8-sig")


def test_the_shopper_is_in_the_file_that_comes_back_and_nowhere_else(
    start_world: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    world = shop(start_world)
    world.sandbox.set_faults("createReturn:1:error_500_before,createReturn:2:conflict_409")
    rows = [*ROWS, ["ada@example.com", "#N8", "Ana Ruiz", "ACME-001-M", "1", "ana@example.com", "Card"]]
    report = sent(world, tmp_path, rows, PER_KEY)
    said = json.dumps(report.as_json()) + "".join(report.lines()) + caplog.text
    for it in world.read(LedgerState.read).intents:
        said += repr(tuple(it))
    for file in tmp_path.glob("*ledger*"):
        said += file.read_bytes().decode("latin-1")
    for path in world.ledger_file.parent.glob(f"{world.ledger_file.name}*"):
        said += path.read_bytes().decode("latin-1")
    names = [row[2] for row in ROWS] + [row[2].split("@")[0] for row in ROWS] + ["Ana Ruiz", "ana@example.com"]
    assert [name for name in names if name.casefold() in said.casefold()] == []
    assert "Ana Ruiz" in (tmp_path / "returns.refused.csv").read_text("utf-8-sig")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"file": "none.csv"}, "none.csv: is not there."),
        ({"mapping": "none.yaml"}, "none.yaml: the mapping cannot be read"),
        ({"refused": "returns.csv"}, "returns.csv: name a new file"),
        ({"store": "elsewhere"}, "no store 'elsewhere'"),
        ({}, "name the store whose orders the file is of"),
    ],
)
def test_a_file_that_cannot_be_used_begins_nothing(
    start_world: Start, tmp_path: Path, values: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = start_world(returns=2)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WrongNameError, match="name the store"):
        sent(world, tmp_path, mode="plan")
    with pytest.raises(WrongNameError, match=said):
        world.run(FLOW, **{"mode": "act", "file": "returns.csv", "mapping": "m.yaml", **values})
    assert made(world) == []


def in_deployment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the next runs be those of a deployment, as when a form was filled in."""
    monkeypatch.setattr("flows.import_returns.deployment", type("Deployment", (), {"id": "d"}))


def test_a_form_reads_nothing_but_what_is_there_to_be_read(
    start_world: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = shop(start_world)
    sent(world, tmp_path, mode="plan")
    in_deployment(monkeypatch)
    whole = str(tmp_path / "returns.csv")
    with pytest.raises(WrongNameError, match="set REVER_RETURN_FILES"):
        world.run(FLOW, mode="act", file=whole, mapping="m.yaml")
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "link.csv").symlink_to(whole)
    (inside / "m.yaml").write_text(PER_ORDER + WORDS)
    monkeypatch.setenv("REVER_RETURN_FILES", str(inside))
    for file, said in ((whole, "lies outside"), ("../returns.csv", "lies outside"), ("link.csv", "is a link")):
        with pytest.raises(WrongNameError, match=said):
            world.run(FLOW, mode="act", file=file, mapping="m.yaml")
    (inside / "returns.csv").write_bytes(
        (tmp_path / "returns.csv").read_bytes() + b"R-9,#N9,x,ACME-001-M,1,Faulty,Card\n"
    )
    with pytest.raises(WrongNameError, match="leave `refused` empty"):
        world.run(FLOW, mode="act", file="returns.csv", mapping="m.yaml", refused=str(tmp_path / "back.csv"))
    report = world.run(FLOW, mode="act", file="returns.csv", mapping="m.yaml")
    assert "5 rows read = 4 created" in report.headline
    assert len(list((inside / "refused").iterdir())) == 1


def test_the_next_run_of_generate_labels_makes_the_labels_of_what_was_imported(
    start_world: Start, tmp_path: Path
) -> None:
    world = shop(start_world)
    sent(world, tmp_path)
    news = {it.process_id for it in world.sandbox.books if _ours(it)}
    report = world.run("generate-labels", mode="act")
    labels = Counter(it.process_id for it in world.sandbox.books if it.operation == "createOrderV2")
    assert labels == Counter(news), [row.why for row in report.rows.values()]
    world.run("generate-labels", mode="act")
    assert len([it for it in world.sandbox.books if it.operation == "createOrderV2"]) == len(news)
    assert world.holds() == []
    assert_promises_kept(world)


def watched(world: World, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of one shop that the desk watches, with its mapping."""
    mine = folder / "in" / "acme"
    mine.mkdir(parents=True)
    (mine / "mapping.yaml").write_text(PER_KEY + WORDS)
    monkeypatch.setenv("REVER_RETURN_FILES", str(folder / "in"))
    world.let_pass(120)
    return mine


def put(path: Path, rows: Sequence[Sequence[str]]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([HEADER, *rows])


def lying(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.*") if path.name != "mapping.yaml")


def test_all_new_files_of_the_folder_are_taken_once_and_put_away(
    start_world: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = shop(start_world)
    folder = watched(world, tmp_path, monkeypatch)
    put(folder / "a.csv", ROWS[:2])
    put(folder / "b.csv", [*ROWS[2:], ["R-9", "#N9", "nobody", "ACME-001-M", "1", "Faulty", "Card"]])
    (folder / "c.csv").write_bytes(b"%PDF-1.7")
    plan = world.run(FLOW, mode="plan")
    assert plan.headline == "5 rows read = 4 to create + 0 already there + 1 refused + 0 held: 3 returns"
    assert (lying(folder), made(world)) == (["a.csv", "b.csv", "c.csv"], [])
    report = world.run(FLOW, mode="act")
    assert report.headline == "5 rows read = 4 created + 0 already there + 1 refused + 0 held: 3 returns"
    back = sorted(it.name for it in (folder / "refused").iterdir())
    assert lying(folder) == ["done/a.csv", "done/b.csv", *(f"refused/{name}" for name in back)]
    assert [name.endswith(".why.txt") for name in back].count(True) == 1
    assert sorted(made(world)) == ALL
    put(folder / "again.csv", ROWS[:2])
    assert world.run(FLOW, mode="act").headline == "no new file"
    assert sorted(made(world)) == ALL
    assert "done/again.csv" in lying(folder)


def test_a_watched_file_stays_while_an_answer_was_lost_or_all_is_stopped(
    start_world: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = shop(start_world)
    folder = watched(world, tmp_path, monkeypatch)
    put(folder / "a.csv", ROWS[3:])
    for stopped in (True, False):
        world.write(stop_switch, on=stopped, by="olga", why="a wrong file", now=world.clock())
        if stopped:
            assert world.run(FLOW, mode="act").headline == "no new file"
    world.sandbox.set_faults("createReturn:1:error_500_before")
    for _ in range(2):
        assert "1 held" in world.run(FLOW, mode="act").headline
        assert lying(folder) == ["a.csv"]
    world.pass_time(120)
    assert "1 held" in world.run(FLOW, mode="act").headline  # a person is asked, and the row comes back
    assert [name.split("/")[0] for name in lying(folder)] == ["done", "refused"]
    assert made(world) == []


def test_what_a_pause_has_stopped_waits_and_what_is_refused_comes_back_once_nothing_waits(
    start_world: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = shop(start_world, {"REVER_MAX_IN_FLIGHT": "1"})
    folder = watched(world, tmp_path, monkeypatch)
    rows = [[f"R-{n}", f"#M{n}", f"m{n}@example.com", "ACME-001-S", "1", "Faulty", "Card"] for n in range(12)]
    put(folder / "a.csv", [*rows, ["R-99", "#N9", "n9@example.com", "NO-SUCH", "1", "Faulty", "Card"]])
    world.sandbox.set_faults(FaultPlan(1.0, weights={Fault.ERROR_500_AFTER: 1}))
    first = world.run(FLOW, mode="act")
    world.sandbox.stop_faults()
    assert "held" in first.headline
    assert len(made(world)) < len(rows), "the store was paused in the middle"
    assert lying(folder) == ["a.csv"]
    assert any(note.endswith("the file stays, and the next run takes it again") for note in first.notes)
    second = world.run(FLOW, mode="act")
    assert lying(folder) == ["a.csv"], "the pause is not over"
    assert "0 held" not in second.headline
    for _ in range(6):
        world.pass_time(3600)
        world.run(FLOW, mode="act")
    assert sorted(made(world)) == sorted(f"#M{n} 1 ACME-001-S" for n in range(12))
    (back,) = (folder / "refused").iterdir()
    assert lying(folder) == ["done/a.csv", f"refused/{back.name}"]
    text = back.read_text("utf-8-sig")
    assert (text.count("#N9"), text.count("#M")) == (1, 0)
    world.act()
    assert_promises_kept(world)


def test_a_store_that_was_given_up_keeps_its_file(
    start_world: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = shop(start_world)
    folder = watched(world, tmp_path, monkeypatch)
    put(folder / "a.csv", ROWS)
    with monkeypatch.context() as patched:
        patched.setattr("flows.import_returns.create_returns", broken)
        with pytest.raises(RunFailedError):
            world.run(FLOW, mode="act")
    assert (lying(folder), made(world)) == (["a.csv"], [])
    assert "4 created" in world.run(FLOW, mode="act").headline
    assert lying(folder) == ["done/a.csv"]


async def broken(*_: object) -> None:
    """The store's part of the run fails."""
    raise ValueError("the policy file is broken")


def test_a_file_is_fetched_by_its_url(start_world: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = shop(start_world)
    system = fsspec.filesystem("memory")
    system.pipe("/lists/returns.csv", "\n".join(map(",".join, [HEADER, *ROWS])).encode())
    (tmp_path / "m.yaml").write_text(PER_KEY + WORDS)
    monkeypatch.setenv("REVER_RETURN_FILES", str(tmp_path))
    monkeypatch.setenv("REVER_INSPECTIONS_URLS", "memory://lists")
    in_deployment(monkeypatch)
    with pytest.raises(WrongNameError, match="files are not fetched from there"):
        world.run(FLOW, mode="act", file="memory://others/returns.csv", mapping="m.yaml")
    report = world.run(FLOW, mode="act", file="memory://lists/returns.csv", mapping="m.yaml")
    assert "4 rows read = 4 created" in report.headline
    system.rm("/lists", recursive=True)
