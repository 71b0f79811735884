from __future__ import annotations

from tests.cli.conftest import Project


def test_rows_come_as_a_table_as_csv_and_as_json(project: Project) -> None:
    for name in ("Ada", "Grace"):
        project.trigger("greet", {"name": name})
    sql = "SELECT task, count(*) AS n FROM runs GROUP BY task"
    table = project.detent("query", sql).stdout.split("\n")
    assert [line.split() for line in table[:2]] == [["task", "n"], ["greet", "2"]]
    assert project.detent("query", sql, "--csv").stdout == "task,n\ngreet,2\n"
    assert project.json("query", "-", input=sql)["rows"] == [["greet", 2]]
    cut = project.detent("query", "SELECT id FROM runs", "--limit", "1", "--csv")
    assert (len(cut.stdout.splitlines()), "more than 1 rows" in cut.stderr) == (2, True)


def test_mistakes_are_told_in_one_line_and_the_views_can_be_seen(project: Project) -> None:
    wrong = project.detent("query", "SELECT * FROM rnus")
    assert (wrong.returncode, wrong.stderr) == (2, "error: no view named 'rnus'; did you mean 'runs'?\n")
    assert project.detent("query").returncode == 2
    assert project.detent("query", "SELECT 1", "--csv", "--json").returncode == 2
    shown = project.detent("query", "--schema").stdout
    assert "attempts" in shown and "duration_ms" in shown
    assert len(project.json("query", "--schema")["views"]) == 4
