"""``key`` and ``trust``: keys, roots and who may sign."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bundle.cli.grammar.shared import explaining, reading, state
from bundle.cli.values import days, slug, threshold

if TYPE_CHECKING:
    from bundle.cli.commands import Commands
    from bundle.cli.variables import Variables

_KEYS: Final = """\
ROLE: packer, approver, relay, or site: and the name of a site
PUBLIC: 64 hexadecimal digits, or a file with them, as `key new` writes it"""


def add(commands: Commands) -> None:
    """Add them."""
    key = commands.group("key", "make keys")
    _key_init(key)
    _key_new(key)
    trust = commands.group("trust", "decide whose bundles are read here")
    _trust_enrol(trust)
    _trust_show(trust)
    _trust_site_key(trust)
    _trust_init(trust)
    _trust_root(trust.group("root", "change who decides, several people in turn"))
    _trust_role(trust.group("role", "change who may pack, approve, relay, receive"))
    _trust_release(trust)
    _audit_verify(commands.group("audit", "what was decided here, and by whom"))


def _key_init(commands: Commands) -> None:
    options = commands.command(
        "init", "bundle.cli.key:init", "make a root key and a packer key"
    )
    options.parser.add_argument("directory", metavar="DIR", help="where they go")
    options.option("--name", "NAME", "a label that the root carries", reads=slug)
    _qr(options)


def _key_new(commands: Commands) -> None:
    options = commands.command(
        "new", "bundle.cli.key:new", "make one key, for others to give a role to"
    )
    options.parser.add_argument("directory", metavar="DIR", help="where it goes")
    options.option(
        "--role", "ROLE", "what it is for: root, packer, approver, relay", reads=slug
    )


def _trust_enrol(commands: Commands) -> None:
    options = commands.command(
        "enrol", "bundle.cli.trust:enrol", "trust a root and what it delegates to"
    )
    options.parser.add_argument("root", metavar="ROOT.json", help="the root file")
    options.option(
        "--fingerprint", "F", "refuse any root that does not have this fingerprint"
    )
    _qr(options)
    state(options)


def _trust_show(commands: Commands) -> None:
    options = commands.command(
        "show", "bundle.cli.trust:show", "print the enrolled root and its fingerprint"
    )
    options.parser.add_argument(
        "directory", metavar="DIR", nargs="?", help="a key directory to show instead"
    )
    _qr(options)
    state(options)


def _trust_site_key(commands: Commands) -> None:
    options = commands.command(
        "site-key",
        "bundle.cli.trust:site_key",
        "print the public key that signs this site's receipts",
    )
    options.option("--site", "NAME", "the site; default: default", reads=slug)
    state(options)


def _trust_init(commands: Commands) -> None:
    options = commands.command(
        "init",
        "bundle.cli.ceremony:init",
        "draw up the first root of several people",
        _KEYS,
    )
    options.parser.add_argument("directory", metavar="DIR", help="where it goes")
    options.several("--root", "PUBLIC", "a root key")
    options.option(
        "--threshold", "N", "root keys that must sign; default: most", reads=threshold
    )
    options.several("--packer", "PUBLIC", "a key that may pack")
    options.several("--approver", "PUBLIC", "a key that may approve")
    options.several("--relay", "PUBLIC", "a key that may relay")
    options.option("--name", "NAME", "a label that the root carries", reads=slug)
    _changing(options)


def _trust_root(commands: Commands) -> None:
    one = _root_command(commands, "add-key", "root_add_key", "add a root key")
    one.parser.add_argument("public", metavar="PUBLIC", help="the key, see below")
    one = _root_command(commands, "remove-key", "root_remove_key", "drop a root key")
    one.parser.add_argument("public", metavar="PUBLIC", help="the key, or its id")
    one = _root_command(
        commands, "threshold", "root_threshold", "say how many root keys must sign"
    )
    one.parser.add_argument("number", metavar="N", type=threshold, help="how many")
    _root_command(commands, "renew", "root_renew", "draw up both files with new dates")
    one = commands.command(
        "sign", "bundle.cli.ceremony:sign", "add a signature to what is drawn up"
    )
    _directory(one)
    one = commands.command(
        "publish", "bundle.cli.ceremony:publish", "put into force what enough signed"
    )
    _directory(one)


def _trust_role(commands: Commands) -> None:
    for name, verb, about, key in (
        ("add", "role_add", "give a role to a key", "the key, see below"),
        ("remove", "role_remove", "take a role from a key", "the key, or its id"),
    ):
        one = _role_command(commands, name, verb, about)
        one.parser.add_argument("role", metavar="ROLE", help="see below")
        one.parser.add_argument("public", metavar="PUBLIC", help=key)
    one = _role_command(
        commands, "threshold", "role_threshold", "say how many of a role must sign"
    )
    one.parser.add_argument("role", metavar="ROLE", help="see below")
    one.parser.add_argument("number", metavar="N", type=threshold, help="how many")
    _role_command(commands, "renew", "role_renew", "draw up the roles with new dates")


def _trust_release(commands: Commands) -> None:
    options = commands.command(
        "release",
        "bundle.cli.trust:release",
        "let through a release that is held, or a stream that stands still",
    )
    options.parser.add_argument(
        "what", metavar="BUNDLE|STREAM", help="a bundle's directory, or a stream's id"
    )
    explaining(options, required=True)
    reading(options)


def _audit_verify(commands: Commands) -> None:
    options = commands.command(
        "verify", "bundle.cli.audit:verify", "check that no line was changed or dropped"
    )
    options.option("--head", "DIGEST", "a line that was noted before: it must be there")
    state(options)


def _root_command(commands: Commands, name: str, verb: str, about: str) -> Variables:
    options = commands.command(name, f"bundle.cli.ceremony:{verb}", about, _KEYS)
    _directory(options)
    _changing(options, key=False)
    return options


def _role_command(commands: Commands, name: str, verb: str, about: str) -> Variables:
    return _root_command(commands, name, verb, about)


def _directory(options: Variables) -> None:
    """Add the directory of roots and roles, and the key to sign with."""
    options.option(
        "--key", "DIR", "the directory of the root and roles files", required=True
    )
    _signing(options)
    _qr(options)


def _signing(options: Variables) -> None:
    options.option(
        "--root-key",
        "FILE",
        "the key to sign with; default: root.pem in that directory",
    )
    state(options)


def _changing(options: Variables, *, key: bool = True) -> None:
    """Add what every verb takes that draws a file up."""
    options.switch("--draft", "only draw it up: sign and publish it later")
    options.option("--days", "N", "days until it expires; default: 730", reads=days)
    if key:
        _signing(options)
        _qr(options)


def _qr(options: Variables) -> None:
    options.switch(
        "--qr", "the fingerprint as a QR code too; a terminal shows it anyway"
    )
