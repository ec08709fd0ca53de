"""A small OpenID provider on loopback: real HTTP, tokens signed with a key made here.

It signs in whoever `claims` describes, at once, and keeps what it was asked. Tests bend it:
`claims` are put over those of the ID token, `signs_with` may be a key that it doesn't publish.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

CLIENT, SECRET = "clinic-outcomes", "a secret of both"


class OpenIDProvider:
    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.signs_with: Any = self.key
        self.claims: dict[str, Any] = {}
        self.userinfo: dict[str, Any] = {}
        self.description: dict[str, Any] = {}
        self.asked: dict[str, str] = {}  # of the last sign-in
        self.codes: dict[str, dict[str, str]] = {}
        self.issuer = ""

    def described(self) -> dict[str, Any]:
        place = self.issuer
        return {
            "issuer": place,
            "authorization_endpoint": f"{place}/authorize",
            "token_endpoint": f"{place}/token",
            "userinfo_endpoint": f"{place}/userinfo",
            "jwks_uri": f"{place}/keys",
            "end_session_endpoint": f"{place}/out",
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        } | self.description

    def authorize(self, asked: dict[str, str]) -> str:
        """Where the browser goes back to."""
        self.asked = asked
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        answer = {"code": code, "state": asked["state"], "iss": self.issuer}
        return f"{asked['redirect_uri']}?{urlencode(answer)}"

    def token(self, sent: dict[str, str]) -> dict[str, Any] | None:
        """Once for each code, for who knows the secret and the code's own verifier."""
        asked = self.codes.pop(sent.get("code", ""), None)
        if asked is None or (sent.get("client_id"), sent.get("client_secret")) != (CLIENT, SECRET):
            return None
        digest = hashlib.sha256(sent.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        same = asked["redirect_uri"] == sent["redirect_uri"]
        if asked["code_challenge_method"] != "S256" or asked["code_challenge"] != challenge:
            return None
        now = int(time.time())
        claims = {
            "iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 300,
            "nonce": asked["nonce"], "auth_time": now,
        } | self.claims  # fmt: skip
        claims = {name: value for name, value in claims.items() if value is not None}
        token = jwt.encode(claims, self.signs_with, "ES256", headers={"kid": "one"})
        answer = {"access_token": "opens", "token_type": "Bearer", "id_token": token}
        return answer if same else None

    def keys(self) -> dict[str, Any]:
        known = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(self.key.public_key()))
        return {"keys": [known | {"kid": "one", "alg": "ES256", "use": "sig"}]}


@contextmanager
def running() -> Iterator[OpenIDProvider]:
    provider = OpenIDProvider()

    class Doors(BaseHTTPRequestHandler):
        def log_message(self, *args: Any) -> None:
            pass

        def do_GET(self) -> None:
            place = urlsplit(self.path)
            asked = {name: values[0] for name, values in parse_qs(place.query).items()}
            if place.path == "/authorize":
                self.send_response(302)
                self.send_header("Location", provider.authorize(asked))
                self.send_header("Content-Length", "0")
                self.end_headers()
            elif place.path == "/.well-known/openid-configuration":
                self.say(provider.described())
            elif place.path == "/keys":
                self.say(provider.keys())
            elif place.path == "/userinfo" and self.headers["Authorization"] == "Bearer opens":
                self.say(provider.userinfo)
            else:
                self.say({"error": "no such door"}, 404)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            answer = provider.token({n: v[0] for n, v in parse_qs(body).items()})
            self.say(answer or {"error": "invalid_grant"}, 200 if answer else 400)

        def say(self, answer: dict[str, Any], status: int = 200) -> None:
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Doors)
    provider.issuer = f"http://localhost:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
