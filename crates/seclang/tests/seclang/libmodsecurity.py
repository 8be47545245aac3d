"""Asks libmodsecurity 3 about JSON messages: a line each comes in, a line of the ids of the rules that tell goes out.

Arguments: a file of rules; `requests`, where each line is the head of a request: `{"method", "uri", "version", "headers"}`;
a number of rounds, to measure: then only the CPU time for a line comes out, in microseconds.
"""

import ctypes
import json
import re
import sys
import time

library = ctypes.CDLL("libmodsecurity.so.3")
for name in ("msc_init", "msc_create_rules_set", "msc_new_transaction"):
    getattr(library, name).restype = ctypes.c_void_p

LOG = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_char_p)
told = []


@LOG
def log(_, message):
    found = re.search(rb'\[id "(\d+)"\]', message)
    if found:
        told.append(int(found.group(1)))


engine = ctypes.c_void_p(library.msc_init())
library.msc_set_log_cb(engine, log)
rules = ctypes.c_void_p(library.msc_create_rules_set())
error = ctypes.c_char_p()
if library.msc_rules_add_file(rules, sys.argv[1].encode(), ctypes.byref(error)) < 0:
    sys.exit(error.value.decode())

HEADERS = (
    (b"Host", b"localhost"),
    (b"User-Agent", b"Mozilla/5.0"),
    (b"Accept", b"*/*"),
    (b"Content-Type", b"application/json"),
)


def ask(body):
    told.clear()
    request = ctypes.c_void_p(library.msc_new_transaction(engine, rules, None))
    library.msc_process_connection(request, b"127.0.0.1", 50000, b"127.0.0.1", 80)
    library.msc_process_uri(request, b"/", b"POST", b"1.1")
    for name, value in HEADERS + ((b"Content-Length", str(len(body)).encode()),):
        library.msc_add_request_header(request, name, value)
    library.msc_process_request_headers(request)
    library.msc_append_request_body(request, body, len(body))
    library.msc_process_request_body(request)
    library.msc_transaction_cleanup(request)


def ask_head(head):
    told.clear()
    request = ctypes.c_void_p(library.msc_new_transaction(engine, rules, None))
    library.msc_process_connection(request, b"127.0.0.1", 50000, b"127.0.0.1", 80)
    library.msc_process_uri(request, head["uri"].encode(), head["method"].encode(), head["version"].encode())
    for name, value in head["headers"]:
        library.msc_add_request_header(request, name.encode(), value.encode())
    library.msc_process_request_headers(request)
    library.msc_process_request_body(request)
    library.msc_transaction_cleanup(request)


messages = [line.encode() for line in sys.stdin.read().split("\n") if line]
if "requests" in sys.argv:
    messages = [json.loads(message) for message in messages]
    ask = ask_head
rounds = [int(argument) for argument in sys.argv[2:] if argument.isdigit()]
if rounds:
    ask(messages[0])
    start = time.process_time()
    for _ in range(rounds[0]):
        for message in messages:
            ask(message)
    print((time.process_time() - start) * 1e6 / rounds[0] / len(messages))
else:
    for message in messages:
        ask(message)
        print(json.dumps(sorted(set(told))))
