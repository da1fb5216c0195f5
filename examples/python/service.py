# SPDX-License-Identifier: Apache-2.0
"""A service: POST a text, get its digest keyed with a secret that is made in the enclave."""
import hmac
import http.server
import json
import os
import signal
import sys

SECRET = os.urandom(32)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        text = self.rfile.read(int(self.headers["Content-Length"]))
        body = json.dumps({"length": len(text), "digest": hmac.digest(SECRET, text, "sha256").hex()}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
