"""TLS at every connection that leaves the machine: the files of it, opened, or refused in one line.

Verification has no switch: a broker's certificate must be valid, signed by an authority that is
trusted, and made out to the host that was asked for. Dask checks the authority alone (its workers
have no names), so a Dask cluster wants an authority of its own, and both sides show certificates.
"""

from __future__ import annotations

import ipaddress
import ssl
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pydantic import Field, SecretStr

from flows.configuration.credentials import secret_of
from stages.errors import ConfigError
from stages.options import Options

if TYPE_CHECKING:
    from distributed import Security


_CAUSES = 8
_DASK_REFUSALS = {
    "certificate has expired": "its certificate has expired; renew it",
    "certificate verify failed": "its certificate is not signed by cluster.tls.ca_file",
    "wrong version number": "it speaks without TLS; start it with certificates",
    "certificate expired": "cluster.tls.cert_file has expired; renew it",
    "unknown ca": "cluster.tls.cert_file is not signed by the scheduler's authority",
    "certificate required": "it wants another certificate than cluster.tls.cert_file",
    # The alert that says why may be lost when the other side closes first.
    "eof occurred": "it hung up; cluster.tls.cert_file has expired, or another authority signed it",
}
"""What OpenSSL says, in the words of its errors, and what to do about it."""


class TlsFiles(Options):
    """The files of one side of a connection, relative to the root."""

    ca_file: str | None = Field(
        default=None, description="authorities to trust (PEM); the system's when null"
    )
    cert_file: str | None = Field(default=None, description="this client's certificate (PEM)")
    key_file: str | None = Field(
        default=None, description="its private key (PEM); null when it is in cert_file"
    )


class TlsOptions(TlsFiles):
    """The files of a client whose key may be encrypted."""

    key_password: SecretStr | None = Field(
        default=None,
        description="password of the private key; only from the environment",
        json_schema_extra={"secret": True},
    )
    key_password_file: str | None = Field(
        default=None, description="file that holds the key's password, relative to the root"
    )


def client_context(files: TlsFiles, root: str | Path, section: str = "tls") -> ssl.SSLContext:
    """What a client needs to verify a server and to show its own certificate.

    Raises:
        ConfigError: a file cannot be read, is no PEM, or does not fit the others; `section` names
            the options in what is said.
    """
    if files.cert_file is None and files.key_file is not None:
        raise ConfigError(f"{section}.key_file needs {section}.cert_file, its certificate")
    ca = _readable(files.ca_file, root, f"{section}.ca_file")
    cert = _readable(files.cert_file, root, f"{section}.cert_file")
    key = _readable(files.key_file, root, f"{section}.key_file") or cert
    try:
        context = ssl.create_default_context(cafile=ca)
    except ssl.SSLError as error:
        raise ConfigError(
            f"{section}.ca_file {ca} holds no certificate in PEM: name the authority's"
        ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if cert is not None:
        _show(context, cert, str(key), _Password(files, root, section), section)
    return context


def dask_security(files: TlsFiles, root: str | Path) -> Security:
    """What a Dask client needs to speak to a cluster by TLS, both sides showing certificates.

    Raises:
        ConfigError: a file cannot be read, is no PEM, does not fit the others, or is encrypted.
    """
    from distributed import Security

    client_context(files, root, "cluster.tls")
    paths = {
        name: str(Path(root, file))
        for name, file in (
            ("tls_ca_file", files.ca_file),
            ("tls_client_cert", files.cert_file),
            ("tls_client_key", files.key_file or files.cert_file),
        )
        if file is not None
    }
    return Security(require_encryption=True, **paths)


def exposed(address: str, files: TlsFiles | None) -> str | None:
    """Why a Dask scheduler may not be used at this address; None where it may."""
    parts = urlsplit(address if "://" in address else f"tcp://{address}")
    if parts.scheme == "tls":
        if files is None or files.ca_file is None or files.cert_file is None:
            return "tls:// wants tls.ca_file and tls.cert_file: both sides show certificates"
        return None
    if parts.scheme != "tcp":
        return (
            f"{parts.scheme}:// is not spoken here: write tcp://127.0.0.1:PORT or tls://HOST:PORT"
        )
    if files is not None:
        return "tls is set, but the address does not begin with tls://"
    if is_loopback(parts.hostname or ""):
        return None
    return (
        "Dask's messages are pickles, so whoever reaches an open connection can run code here: "
        f"write tls://{parts.netloc} and set tls.ca_file, tls.cert_file and tls.key_file"
    )


def unanswered(address: str, error: BaseException) -> str:
    """Why no Dask scheduler could be reached, with the remedy."""
    told, seen = [], error
    while seen is not None and len(told) < _CAUSES:
        told.append(str(seen))
        seen = seen.__cause__ or seen.__context__
    said = " ".join(told)
    for sign, words in _DASK_REFUSALS.items():
        if sign.lower() in said.lower():
            return f"the Dask scheduler at {address} and this station disagree: {words}"
    return f"no Dask scheduler answers at {address}: {error}; start one, or remove cluster.address"


def is_loopback(host: str) -> bool:
    """Whether this is surely this machine: an address of it, or `localhost`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _readable(file: str | None, root: str | Path, option: str) -> str | None:
    if file is None:
        return None
    path = Path(root, file)
    try:
        path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"{option} {path} cannot be read ({error.strerror}): correct the name, or give this "
            "account the right to read it"
        ) from error
    return str(path)


class _Password:
    """Asked for only by a key that is encrypted; without one OpenSSL would ask the terminal."""

    def __init__(self, files: TlsFiles, root: str | Path, section: str) -> None:
        self._files = files
        self._root = root
        self._section = section
        self.asked = False

    def __call__(self) -> str:
        self.asked = True
        if not isinstance(self._files, TlsOptions):
            raise ConfigError(
                f"{self._section}.key_file is encrypted, and Dask takes no password: name a key "
                "without one, which only this account may read"
            )
        word = secret_of(
            self._files.key_password,
            self._files.key_password_file,
            self._root,
            f"{self._section}.key_password_file",
        )
        if word is None:
            raise ConfigError(
                f"{self._section}.key_file is encrypted: set {self._section}.key_password in the "
                f"environment, or {self._section}.key_password_file"
            )
        return word


def _show(context: ssl.SSLContext, cert: str, key: str, password: _Password, section: str) -> None:
    """Let the context show a certificate."""
    try:
        context.load_cert_chain(cert, key, password)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            words = f"{section}.key_file {key} is not the key of {section}.cert_file {cert}"
        elif password.asked:
            words = f"the password does not open {section}.key_file {key}: correct it"
        else:
            words = f"{cert} and {key} are not a certificate and its private key in PEM"
        raise ConfigError(words) from error
    except ValueError as error:
        # OpenSSL takes no password of more than 1023 bytes.
        raise ConfigError(f"the password of {section}.key_file is too long") from error
