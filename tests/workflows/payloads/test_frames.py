"""The frame that raised, read from the tracebacks of several languages."""

from __future__ import annotations

import pytest

from dboshub.workflows.payloads.frames import raising_frame

PYTHON = """Traceback (most recent call last):
  File "/app/shop/orders.py", line 12, in checkout
    charge(order)
  File "/app/shop/payments.py", line {line}, in charge
    raise TimeoutError("bank")
  File "/usr/lib/python3.12/socket.py", line 7, in connect
    self.sock.connect()"""
JAVASCRIPT = """Error: bank
    at connect (node:net:1:2)
    at Bank.charge (/app/dist/payments.js:{line}:9)
    at async checkout (/app/dist/orders.js:3:1)"""
JAVA = """java.io.IOException: bank
\tat shop.Payments.charge(Payments.java:{line})
\tat shop.Orders.checkout(Orders.java:3)"""
GO = """goroutine 1 [running]:
main.charge(0xc000012345)
\t/app/payments.go:{line} +0x1d
main.checkout(...)
\t/app/orders.go:9 +0x2b"""


@pytest.mark.parametrize(
    ("text", "frame"),
    [
        (PYTHON, "charge in payments.py"),
        (JAVASCRIPT, "Bank.charge in payments.js"),
        (JAVA, "shop.Payments.charge in Payments.java"),
        (GO, "main.charge in payments.go"),
        ('  File "C:\\lib\\site-packages\\x.py", line 1, in f', "f in x.py"),
        ("File a, line 1", ""),
        ("", ""),
    ],
)
def test_the_innermost_frame_of_the_application_is_told_whatever_its_line(
    text: str, frame: str
) -> None:
    assert raising_frame(text.replace("{line}", "5")) == frame
    assert raising_frame(text.replace("{line}", "77")) == frame


@pytest.mark.parametrize("text", ['  File "' * 9_000, "at (" * 20_000, "\tat " + "a(" * 30_000])
def test_a_text_that_is_no_traceback_takes_no_time(text: str) -> None:
    assert raising_frame(text) == ""
