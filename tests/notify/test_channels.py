"""How messages leave: over a real SMTP server, or into a folder."""

import asyncio
import email
import email.policy
import socket
import ssl
import stat
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from services.notify.channels import (
    AddressRefusedError,
    ChannelAwayError,
    DeliveryUnknownError,
    Outgoing,
    one_address,
)
from services.notify.folder import FolderChannel
from services.notify.smtp import SmtpChannel

NOON = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
SENDER = "hello@homeward.example.org"


class Box:
    """Takes mail; `answers` says what to reply to a command instead."""

    def __init__(self, **answers: str) -> None:
        self.mails: list[email.message.EmailMessage] = []
        self.to: list[list[str]] = []
        self.answers = answers

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802 -- named so by aiosmtpd
        if "rcpt" in self.answers:
            return self.answers["rcpt"]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 -- named so by aiosmtpd
        if self.answers.get("data") == "break":
            server.transport.abort()
            return "250 nobody hears this"
        if "data" in self.answers:
            return self.answers["data"]
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        self.mails.append(mail)
        self.to.append(envelope.rcpt_tos)
        return "250 OK"


@contextmanager
def a_server(box: Box, **options):
    controller = Controller(box, hostname="127.0.0.1", port=a_free_port(), **options)
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()


def a_free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def a_message(**changes) -> Outgoing:
    message = {
        "message_id": "MS-1",
        "to": "child@example.org",
        "subject": "A time to talk",
        "body": "Hi,\n\nCafé at 4:30 pm.\n",
        "at": NOON,
    }
    return Outgoing(**message | changes)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    (folder / "crt.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "crt.pem", folder / "key.pem")
    return folder / "crt.pem", context


async def test_a_mail_arrives_with_an_id_that_follows_from_the_message():
    box = Box()
    with a_server(box) as port:
        await SmtpChannel("127.0.0.1", port, SENDER).send(a_message())

    (mail,) = box.mails
    assert box.to == [["child@example.org"]]
    assert mail["Message-ID"] == "<MS-1@homeward.example.org>"
    assert mail["Subject"] == "A time to talk"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail.get_content().replace("\r\n", "\n") == "Hi,\n\nCafé at 4:30 pm.\n"


async def test_no_server_is_away():
    with pytest.raises(ChannelAwayError):
        await SmtpChannel("127.0.0.1", a_free_port(), SENDER).send(a_message())


@pytest.mark.parametrize("step", ["rcpt", "data"])
async def test_a_server_that_asks_to_come_back_later_is_away(step):
    with a_server(Box(**{step: "451 busy"})) as port, pytest.raises(ChannelAwayError):
        await SmtpChannel("127.0.0.1", port, SENDER).send(a_message())


@pytest.mark.parametrize("step", ["rcpt", "data"])
async def test_a_server_that_says_no_for_good_refuses_and_its_reply_is_not_repeated(step):
    reply = "550 no such user child@example.org"
    with a_server(Box(**{step: reply})) as port, pytest.raises(AddressRefusedError) as caught:
        await SmtpChannel("127.0.0.1", port, SENDER).send(a_message())

    assert "child" not in str(caught.value)


async def test_a_connection_that_breaks_after_the_text_leaves_it_open():
    with a_server(Box(data="break")) as port, pytest.raises(DeliveryUnknownError):
        await SmtpChannel("127.0.0.1", port, SENDER).send(a_message())


async def test_a_server_that_never_greets_is_away(monkeypatch):
    monkeypatch.setattr("services.notify.smtp.STEP_WITHIN_S", 0.2)
    server = await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(ChannelAwayError):
        await SmtpChannel("127.0.0.1", port, SENDER).send(a_message())
    server.close()


@pytest.mark.parametrize(
    "address",
    [
        "",
        "child",
        "child@",
        "a@example.org, b@example.org",
        "a@example.org\nBcc: b@example.org",
        "Carer <b@example.org>",
        "é@example.org",
        "a@example.org b@example.org",
    ],
)
async def test_only_exactly_one_plain_address_is_written_to(address):
    box = Box()
    with a_server(box) as port, pytest.raises(AddressRefusedError):
        await SmtpChannel("127.0.0.1", port, SENDER).send(a_message(to=address))

    assert box.mails == []


def test_blanks_around_an_address_do_no_harm():
    assert one_address(" child@example.org ").addr_spec == "child@example.org"


async def test_starttls_and_a_password_are_used_where_set(certificate, tmp_path):
    file, context = certificate
    password = tmp_path / "password"
    password.write_text("s3cret\n")
    seen = []

    def check(server, session, envelope, mechanism, given):
        seen.append((given.login, given.password))
        return AuthResult(success=True)

    box = Box()
    options = {"tls_context": context, "require_starttls": True}
    with a_server(box, **options, authenticator=check, auth_required=True) as port:
        channel = SmtpChannel(
            "localhost", port, SENDER, starttls=True, user="u", password_file=password, ca=file
        )
        await channel.send(a_message())

    assert seen == [(b"u", b"s3cret")]
    assert len(box.mails) == 1


async def test_a_server_whose_certificate_is_not_trusted_is_away(certificate):
    _, context = certificate
    with (
        a_server(Box(), tls_context=context, require_starttls=True) as port,
        pytest.raises(ChannelAwayError),
    ):
        await SmtpChannel("localhost", port, SENDER, starttls=True).send(a_message())


async def test_a_server_without_starttls_is_away_where_it_is_required():
    box = Box()
    with a_server(box) as port, pytest.raises(ChannelAwayError):
        await SmtpChannel("127.0.0.1", port, SENDER, starttls=True).send(a_message())

    assert box.mails == []


async def test_the_folder_keeps_one_file_per_message_for_its_owner_alone(tmp_path):
    channel = FolderChannel(tmp_path / "mail", "email", SENDER)

    await channel.send(a_message())
    await channel.send(a_message())

    (file,) = (tmp_path / "mail").iterdir()
    assert file.name == "MS-1.eml"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert email.message_from_bytes(file.read_bytes())["To"] == "child@example.org"


async def test_a_folder_that_cannot_be_written_is_away(tmp_path):
    (tmp_path / "mail").write_text("in the way")

    with pytest.raises(ChannelAwayError):
        await FolderChannel(tmp_path / "mail", "text", SENDER).send(a_message())
