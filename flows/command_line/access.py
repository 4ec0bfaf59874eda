"""Commands on who may ask a server, and whose packages it believes: keys, sign, verify."""

from pathlib import Path
from typing import Annotated

import typer

from flows.command_line.options import Json, answer, print_json, watching
from flows.failures import reported

KeyFileOption = Annotated[
    Path | None, typer.Option("--keys", metavar="FILE", help="The file of keys; default: the home's, as for `serve`.")
]
Trusted = Annotated[
    list[Path] | None,
    typer.Option("--trusted-key", metavar="FILE", help="A public key; beside serving.trusted_keys. Repeatable."),
]

keys = typer.Typer(
    help="API keys of a server: add, list, revoke; and the pair that signs versions.", no_args_is_help=True
)
signing = typer.Typer(help="The pair of keys that signs versions.", no_args_is_help=True)
keys.add_typer(signing, name="signing")


@keys.command()
def add(
    name: Annotated[str, typer.Argument(help="Who is to use it, for people.")],
    scope: Annotated[
        str, typer.Option(help="What it may ask: predict, explain, label, admin, or several.")
    ] = "predict",
    expires: Annotated[str | None, typer.Option(help="How long it is good: 90d, 12h; default: until revoked.")] = None,
    requests_per_minute: Annotated[
        int | None, typer.Option(min=1, help="At most; default: as the server's settings say.")
    ] = None,
    rows_per_minute: Annotated[
        int | None, typer.Option(min=1, help="At most; default: as the server's settings say.")
    ] = None,
    file: KeyFileOption = None,
    as_json: Json = False,
) -> None:
    """Make a key, and show it: once, for only its hash is kept. A server that runs knows it within a second.

    Clients send it as `Authorization: Bearer KEY`, or `X-API-Key: KEY`.
    """
    with reported(as_json):
        from flows.commands.access import api_keys
        from perennial.serving.access.api_keys import Limits

        path = api_keys.file_of(file)
        limits = Limits(requests_per_minute=requests_per_minute, rows_per_minute=rows_per_minute)
        key, text = api_keys.add(path, name, scope, expires, limits)
        if as_json:
            print_json(api_keys.key_as_json(key) | {"key": text})
        else:
            typer.echo(api_keys.added_in_words(key, text, path))


@keys.command("list")
def list_keys(file: KeyFileOption = None, as_json: Json = False) -> None:
    """Show all keys, those that are good no more, too; never a key itself, which nobody has."""
    with reported(as_json):
        from flows.commands.access import api_keys

        path = api_keys.file_of(file)
        every = api_keys.known(path)
        if as_json:
            print_json({"file": str(path), "keys": [api_keys.key_as_json(key) for key in every]})
            return
        for key in every:
            typer.echo(api_keys.key_in_words(key))
        if not every:
            typer.echo(f"There are no keys in {path}: `perennial keys add NAME` makes one.")


@keys.command()
def revoke(
    name: Annotated[str, typer.Argument(help="The key's name, or its id.")],
    file: KeyFileOption = None,
    as_json: Json = False,
) -> None:
    """Let a key be good no more: within a second, on a server that runs."""
    with reported(as_json):
        from flows.commands.access import api_keys
        from perennial.serving.access.api_keys import revoke_key

        key = revoke_key(api_keys.file_of(file), name)
        words = f"Key {key.name} ({key.id}) is revoked; a server that runs knows it within a second."
        answer(api_keys.key_as_json(key), words, as_json)


@signing.command("new")
def new_signing_key(
    file: Annotated[Path, typer.Argument(help="Where the private key goes; the public one goes to FILE.pub.")],
    as_json: Json = False,
) -> None:
    """Make a pair of keys: one that signs versions as they are registered, and one by which servers know it."""
    with reported(as_json):
        from flows.commands.access import signatures
        from perennial.signing.keys import new_pair

        pair = new_pair(file)
        answer(signatures.pair_as_json(pair), signatures.pair_in_words(pair), as_json)


def sign(
    model: Annotated[str, typer.Argument(help="The model's name: its pipeline's.")],
    version: Annotated[str, typer.Argument(help="The version's number.")],
    as_json: Json = False,
) -> None:
    """Sign a version that is registered already, with the key that PERENNIAL_SIGNING_KEY names.

    New versions are signed as they are registered, where that variable is set. First what MLflow holds is compared with
    the ledger: package, evidence and decision have to be those of the newest judging.
    """
    with reported(as_json, model):
        from flows.commands.access import signatures

        with watching(as_json):
            key_id = signatures.sign(model, version)
        value = {"status": "signed", "model": model, "version": version, "key": key_id}
        answer(value, f"Version {version} of {model} is signed with the key {key_id[:16]}….", as_json)


def verify(
    model: Annotated[str, typer.Argument(help="The model's name: its pipeline's.")],
    version: Annotated[str | None, typer.Argument(help="The version's number; default: the champion.")] = None,
    trusted_key: Trusted = None,
    as_json: Json = False,
) -> None:
    """Say who signed a version, and what, once package and evidence in the registry have been found to be just that.

    Exit code: 0 signed by a trusted key, 1 not.
    """
    with reported(as_json, model):
        from flows.commands.access import signatures

        with watching(as_json):
            signed = signatures.verify(model, version, trusted_key or ())
        answer(signatures.verified_as_json(signed), signatures.verified_in_words(signed), as_json)
