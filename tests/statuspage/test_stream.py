import io
import json

from statuspage.stream import JsonLines


def test_every_line_becomes_one_json_object_that_names_its_process() -> None:
    output = io.StringIO()
    stream = JsonLines(output)
    stream.write("web", '{"event": "serving", "level": "info"}')
    stream.write("beat", "Traceback (most recent call last):")
    stream.write("web", "12")
    told, wrapped, number = (json.loads(line) for line in output.getvalue().splitlines())
    assert told == {"process": "web", "event": "serving", "level": "info"}
    assert (wrapped["process"], wrapped["event"]) == ("beat", "Traceback (most recent call last):")
    assert (number["process"], number["event"]) == ("web", "12")
