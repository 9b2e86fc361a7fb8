"""What a response has to be like."""


def problem(answer, status: int, code: str) -> dict:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json["code"] == code
    assert answer.json["request_id"] == answer.headers["x-request-id"]
    return answer.json
