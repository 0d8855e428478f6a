"""The size of JSON documents, found without parsing them."""


def holds_more_values(document: bytes, limit: int) -> bool:
    """Return whether a JSON document holds more than `limit` values.

    Each value costs memory and time, from parsing to the list of errors, so they are counted
    before. Names of fields do not count, and an empty list or object counts twice. The number is
    right for JSON in UTF-8 (RFC 8259, section 8.1), and never too low for anything else that the
    parser reads.
    """
    if _values(document) <= limit:
        return False
    if b"\0" in document:  # UTF-16 or UTF-32, in which the steps below find no strings
        return True
    # What is in strings does not count. A quote after a backslash does not end one.
    text = document.replace(rb"\\", b"").replace(rb"\"", b"")
    if text.count(b'"') > 4 * limit:  # a value has at most two strings: its name and itself
        return True
    return _values(b"".join(text.split(b'"')[::2])) > limit


def _values(text: bytes) -> int:
    return 1 + text.count(b",") + text.count(b"[") + text.count(b"{")
