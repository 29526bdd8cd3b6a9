"""The commands of those who look after the ledger: audit, replay, reread, backup, forget."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.commands.cli_root import Root

_TIME = "e.g. 2026-11-20, 2026-11-20T08:00Z, or an age such as 90m or 2d"


def audit(
    root: Root,
    hashed: Annotated[
        bool, typer.Option("--hash", help="also compare the bytes of every picture (slow)")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="print only JSON")] = False,
) -> None:
    """Prove that no picture and no row is lost, or name each difference with its remedy (exit 1).

    Example: markwatch audit --root my-line
    """
    from flows.audit import proof as audit_flow

    raise typer.Exit(audit_flow.audit(root, hashed=hashed, as_json=json))


def replay(
    root: Root,
    sink: Annotated[str, typer.Option("--sink", help="name of the sink")],
    start: Annotated[
        str | None, typer.Option("--from", help=f"rows read at or after this time: {_TIME}")
    ] = None,
    end: Annotated[str | None, typer.Option("--to", help="rows read before this time")] = None,
    seq: Annotated[
        str | None, typer.Option(metavar="A-B", help="rows of this range, both included")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="file to write, for a CSV")
    ] = None,
) -> None:
    """Deliver rows to one sink again, with the same id and seq; also while watch runs.

    MQTT gets them as late; Parquet only the parts that are missing; a CSV is a file of its own.

    Example: markwatch replay --sink mqtt --from 2h
    """
    from flows.commands import replay as replay_flow

    raise typer.Exit(replay_flow.replay(root, sink, start=start, end=end, seqs=seq, file=output))


def reread(
    root: Root,
    ids: Annotated[
        list[str] | None, typer.Argument(help="ids of pictures, or of their rows")
    ] = None,
    camera: Annotated[str | None, typer.Option(help="only this camera's")] = None,
    start: Annotated[
        str | None, typer.Option("--from", help=f"pictures claimed at or after: {_TIME}")
    ] = None,
    end: Annotated[str | None, typer.Option("--to", help="pictures claimed before")] = None,
    status: Annotated[
        str | None, typer.Option(help="only pictures with a row of this status, e.g. failed")
    ] = None,
) -> None:
    """Read filed pictures again under today's recipes: new rows that supersede the old.

    Example: markwatch reread --camera press-3 --status failed
    """
    from flows.commands import reread as reread_flow

    raise typer.Exit(
        reread_flow.reread(root, ids or (), camera=camera, start=start, end=end, status=status)
    )


def backup(
    root: Root, target: Annotated[Path, typer.Argument(help="new file, or a folder for it")]
) -> None:
    """Copy the ledger, also while watch runs, and prove the copy.

    Example: markwatch backup /mnt/backup
    """
    from flows.commands import backup as backup_flow

    raise typer.Exit(backup_flow.backup(root, target))


def forget(
    root: Root,
    sink: Annotated[str, typer.Argument(help="name of a sink that is configured no more")],
    yes: Annotated[
        bool, typer.Option("--yes", help="give up the rows that it was not given")
    ] = False,
) -> None:
    """Let the ledger no longer keep rows for a sink that is configured no more; audit counts it on.

    Example: markwatch forget old-csv --yes
    """
    from flows.commands import forget as forget_flow

    raise typer.Exit(forget_flow.forget(root, sink, sure=yes))
