"""Drives clickhouse-connect for clickhouse-connect.python.test.ts: a function's name as argument, JSON in and out."""

import datetime
import json
import sys

import clickhouse_connect


def connect(job, **options):
    return clickhouse_connect.get_client(
        host="127.0.0.1", port=job["port"], username=job["username"], password=job["password"], **options
    )


def attack(job):
    client = connect(job)
    outcomes = []
    for statement in job["statements"]:
        try:
            outcomes.append({"answer": str(client.raw_query(statement))})
        except Exception as error:
            outcomes.append({"error": str(error)})
    return outcomes


def query(job):
    client = connect(job)
    parameters = {"a": 5, "b": "it's\n\ttab \\ ü", "d": datetime.datetime(2024, 1, 1), "l": ["a", "b'c"]}
    result = client.query("SELECT {a:Int32} + 1, {b:String}, {d:DateTime}, {l:Array(String)}", parameters=parameters)
    many = client.query("SELECT number, toString(number) FROM numbers(100000)")
    long = client.query("SELECT length({b:String})", parameters={"b": "x" * 100000})
    return {
        "rows": [[value.isoformat() if isinstance(value, datetime.datetime) else value for value in row] for row in result.result_rows],
        "rowsOfMany": len(many.result_rows),
        "longParameter": long.result_rows[0][0],
    }


def insert(job):
    client = connect(job, compress=job["compress"])
    time = datetime.datetime(2026, 1, 2, 3, 4, 5)
    rows = [[number, "row\n\n;\x00 %d" % number, time] for number in range(job["rows"])]
    summary = client.insert(job["table"], rows, column_names=["n", "s", "t"])
    stored = client.query("SELECT n, s, t FROM %s ORDER BY n" % job["table"]).result_rows
    return {"written": summary.written_rows, "stored": len(stored), "same": [list(row) for row in stored] == rows}


print(json.dumps({"attack": attack, "query": query, "insert": insert}[sys.argv[1]](json.load(sys.stdin))))
