"""A receiver of OTLP over HTTP, with the messages that the OpenTelemetry project generates for Python.

receiver.py PORT CONTROL [CERTIFICATE KEY]

PORT takes traces and metrics, by TLS where there is a certificate. CONTROL, in plain HTTP, says what came:

    GET /spans?name=NAME&count=N   the spans of that name, once there are N
    GET /metrics?beyond=N          the last message of metrics, once more than N came, and how many there were
    GET /headers                   the headers of the last request
    PUT /answer                    how requests are answered from now on: a status, one with the seconds of
                                   `Retry-After` behind it, `hang`, or `reject N`
"""

import json
import ssl
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics_service
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as trace_service

PATIENCE = 20

changed = threading.Condition()
state = {"spans": [], "metrics": None, "messages": 0, "headers": {}, "answer": "200"}


def attributes(pairs):
    def plain(value):
        return getattr(value, value.WhichOneof("value"))

    return {pair.key: plain(pair.value) for pair in pairs}


def flat(message):
    for resource in message.resource_spans:
        of_process = attributes(resource.resource.attributes)
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield {
                    "trace": span.trace_id.hex(),
                    "span": span.span_id.hex(),
                    "parent": span.parent_span_id.hex(),
                    "state": span.trace_state,
                    "flags": span.flags,
                    "name": span.name,
                    "kind": span.kind,
                    "nanos": span.end_time_unix_nano - span.start_time_unix_nano,
                    "attributes": attributes(span.attributes),
                    "failed": span.status.code == 2,
                    "resource": of_process,
                    "scope": scope.scope.name,
                }


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def reply(self, status, body, kind="application/json", more=()):
        self.send_response(status)
        for name, value in more:
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Receiver(Handler):
    def do_POST(self):
        body = self.body()
        with changed:
            answer = state["answer"]
            state["headers"] = {name.lower(): value for name, value in self.headers.items()}
            if answer == "200" or answer.startswith("reject"):
                self.take(body)
            changed.notify_all()
        if answer == "hang":
            threading.Event().wait()
        rejected = int(answer.split()[1]) if answer.startswith("reject") else 0
        if self.path == "/v1/traces":
            message = trace_service.ExportTraceServiceResponse()
            message.partial_success.rejected_spans = rejected
        else:
            message = metrics_service.ExportMetricsServiceResponse()
        status, *retry_after = ["200"] if rejected else answer.split()
        more = [("Retry-After", seconds) for seconds in retry_after]
        self.reply(int(status), message.SerializeToString(), "application/x-protobuf", more)

    def take(self, body):
        assert self.headers["Content-Type"] == "application/x-protobuf"
        if self.path == "/v1/traces":
            message = trace_service.ExportTraceServiceRequest.FromString(body)
            state["spans"].extend(flat(message))
        elif self.path == "/v1/metrics":
            state["metrics"] = metrics_service.ExportMetricsServiceRequest.FromString(body)
            state["messages"] += 1
        else:
            raise ValueError(self.path)


class Control(Handler):
    def do_PUT(self):
        with changed:
            state["answer"] = self.body().decode()
        self.reply(200, b"")

    def do_GET(self):
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        with changed:
            if url.path == "/spans":
                found = self.until(
                    lambda: [span for span in state["spans"] if span["name"] == query["name"]],
                    lambda found: len(found) >= int(query["count"]),
                )
            elif url.path == "/metrics":
                found = self.until(lambda: state["messages"], lambda number: number > int(query["beyond"]))
                last = state["metrics"]
                found = {"messages": found, "last": last and MessageToDict(last)}
            else:
                found = state["headers"]
        self.reply(200, json.dumps(found).encode())

    def until(self, look, is_enough):
        changed.wait_for(lambda: is_enough(look()), PATIENCE)
        return look()


def serve(port, handler, files=()):
    server = ThreadingHTTPServer(("127.0.0.1", int(port)), handler)
    server.daemon_threads = True
    if files:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*files)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever).start()


serve(sys.argv[1], Receiver, sys.argv[3:])
serve(sys.argv[2], Control)
