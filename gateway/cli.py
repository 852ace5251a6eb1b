"""The command ``retinagate``; every command is a few lines that call something.

Exit codes: 0 done; 1 what was asked failed or a check is red; 2 wrong usage or settings; 130 interrupted.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from casebook.errors import Misconfigured, RetinaGateError

if TYPE_CHECKING:
    from casebook.settings import Settings

SETTINGS_ERROR = 2


class _Commands(click.Group):
    """Turns our errors into one sentence and an exit code, and offers the nearest command for an unknown one."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib

            close = difflib.get_close_matches(args[0], self.list_commands(ctx), n=1)
            if not close:
                raise
            raise click.UsageError(f"{error.message} Did you mean {close[0]}?", ctx) from None

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except RetinaGateError as error:
            if ctx.params.get("debug"):
                raise
            click.echo(f"retinagate: {error}", err=True)
            ctx.exit(SETTINGS_ERROR if isinstance(error, Misconfigured) else 1)
        except KeyboardInterrupt:
            ctx.exit(130)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--config", type=click.Path(path_type=Path, dir_okay=False), help="Settings file instead of HOME's.")
@click.option("--debug", is_flag=True, help="Show a traceback where something fails.")
@click.version_option(package_name="retinagate", message="RetinaGate %(version)s, research use, not for diagnosis")
@click.pass_context
def main(ctx: click.Context, config: Path | None, *, debug: bool) -> None:
    """Grade diabetic retinopathy between a PACS and the eye clinic. Research use, not for diagnosis.

    \b
    retinagate up                      run the whole service here
    retinagate grade photographs/      grade files without any service

    Exit codes: 0 done, 1 failed or red, 2 usage or settings, 130 interrupted.
    """  # noqa: D301 - \b keeps click from joining the lines
    ctx.obj = (config, debug)


def _settings(ctx: click.Context) -> "Settings":
    import os

    from gateway.configuration import load

    return load(os.environ, ctx.obj[0])


def _leave(code: int) -> NoReturn:
    """End a service's process now: a thread that a peer holds owes nobody anything, but Python would wait (I7)."""
    import logging
    import os

    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


@main.command()
@click.pass_context
def up(ctx: click.Context) -> None:
    """Run the whole service in the foreground, until Ctrl-C."""
    from gateway.up import run

    _leave(run(_settings(ctx)))


@main.command()
@click.pass_context
def listen(ctx: click.Context) -> None:
    """Run only the DICOM listener, as a process of its own."""
    from gateway.up import run_one

    _leave(run_one(_settings(ctx), "listener"))


@main.command()
@click.pass_context
def work(ctx: click.Context) -> None:
    """Run only the workers: grading, reporting, sending and the sweep."""
    from gateway.up import run_one

    _leave(run_one(_settings(ctx), "worker", "sweeper"))


@main.command()
@click.pass_context
def dashboard(ctx: click.Context) -> None:
    """Run only the dashboard and its API."""
    from gateway.up import run_one

    _leave(run_one(_settings(ctx), "dashboard"))


@main.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--from-file", type=click.File(), help="Read more paths from this file, one a line; - is stdin.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a file.")
@click.option("--heatmaps", type=click.Path(path_type=Path, file_okay=False), help="Write overlays into this folder.")
@click.option("--bundle", type=click.Path(path_type=Path, file_okay=False), help="Another bundle than the shipped one.")
@click.pass_context
def grade(
    ctx: click.Context,
    paths: tuple[Path, ...],
    from_file: Any,
    heatmaps: Path | None,
    bundle: Path | None,
    *,
    as_json: bool,
) -> None:
    """Grade DICOM, JPEG or PNG files without any service; a folder is walked."""
    from gateway.grade import run

    listed = [Path(line.rstrip("\n")) for line in from_file if line.strip()] if from_file else []
    if not paths and not listed:
        raise click.UsageError("Name files or folders to grade.")
    ctx.exit(run([*paths, *listed], as_json=as_json, heatmaps=heatmaps, bundle=bundle))


@main.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--to", "destination", required=True, metavar="NAME", help="A destination of the settings.")
@click.pass_context
def send(ctx: click.Context, paths: tuple[Path, ...], destination: str) -> None:
    """Send DICOM files to a destination; a folder is walked."""
    from gateway.send import run

    ctx.exit(run(_settings(ctx), list(paths), destination))


@main.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each finding.")
@click.pass_context
def doctor(ctx: click.Context, *, as_json: bool) -> None:
    """Look at everything the service stands on, changing nothing, and say what to do.

    \b
    retinagate doctor                  before the first start, or beside a running service
    retinagate doctor --json           for a program

    Exit codes: 0 nothing is red, 1 something is, 2 settings.
    """  # noqa: D301 - \b keeps click from joining the lines
    from gateway.doctor import run

    ctx.exit(run(_settings(ctx), as_json=as_json))


@main.command()
@click.pass_context
def demo(ctx: click.Context) -> None:
    """Send synthetic patients through the real route; where no service runs here, run one and stay."""
    from gateway.demo import run

    _leave(run(_settings(ctx)))


@main.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object a step.")
@click.pass_context
def selftest(ctx: click.Context, *, as_json: bool) -> None:
    """Send two synthetic eyes the whole way through the running service, in six steps."""
    from gateway.selftest import run

    ctx.exit(run(_settings(ctx), as_json=as_json))


@main.command()
@click.pass_context
def migrate(ctx: click.Context) -> None:
    """Bring the database's schema to this version."""
    from gateway.house import open_house

    with open_house(_settings(ctx), migrate=True) as house:
        click.echo(f"schema {house.database.schema_revision()}")


@main.group()
def user() -> None:
    """Users of the dashboard."""


@user.command("add")
@click.argument("name")
@click.option("--role", type=click.Choice(["viewer", "grader", "senior", "admin"]), required=True)
@click.option("--password-stdin", is_flag=True, required=True, help="Read the password from standard input.")
@click.pass_context
def user_add(ctx: click.Context, name: str, role: str, *, password_stdin: bool) -> None:  # noqa: ARG001
    """Add a user."""
    from casebook import audit, people
    from casebook.models import Role
    from gateway.house import open_house

    password = sys.stdin.readline().rstrip("\n")
    with open_house(_settings(ctx)) as house, house.database.transaction() as t:
        now = house.clock.now()
        added = people.add_user(t, name, Role(role), password, now)
        audit.append(t, now, actor="command line", action="user.add", detail=f"user {added.id} as {role}")
    click.echo(f"user {added.name} added as {role}", err=True)


@user.command("password")
@click.argument("name")
@click.option("--password-stdin", is_flag=True, required=True, help="Read the password from standard input.")
@click.pass_context
def user_password(ctx: click.Context, name: str, *, password_stdin: bool) -> None:  # noqa: ARG001
    """Give a user another password, also one who was disabled; open sessions end."""
    from casebook import audit, people
    from gateway.house import open_house

    password = sys.stdin.readline().rstrip("\n")
    with open_house(_settings(ctx)) as house, house.database.transaction() as t:
        changed = people.set_password(t, name, password)
        audit.append(t, house.clock.now(), actor="command line", action="user.password", detail=f"user {changed.id}")
    click.echo(f"user {changed.name} has a new password", err=True)


@user.command("role")
@click.argument("name")
@click.argument("role", type=click.Choice(["viewer", "grader", "senior", "admin"]))
@click.pass_context
def user_role(ctx: click.Context, name: str, role: str) -> None:
    """Give a user another role; open sessions end."""
    from casebook import audit, people
    from casebook.models import Role
    from gateway.house import open_house

    with open_house(_settings(ctx)) as house, house.database.transaction() as t:
        changed = people.set_role(t, name, Role(role))
        detail = f"user {changed.id} as {role}"
        audit.append(t, house.clock.now(), actor="command line", action="user.role", detail=detail)
    click.echo(f"user {changed.name} is {role} now", err=True)


@user.command("disable")
@click.argument("name")
@click.pass_context
def user_disable(ctx: click.Context, name: str) -> None:
    """Let a user in no more, until you set another password; open sessions end."""
    from casebook import audit, people
    from gateway.house import open_house

    with open_house(_settings(ctx)) as house, house.database.transaction() as t:
        now = house.clock.now()
        disabled = people.disable(t, name, now)
        audit.append(t, now, actor="command line", action="user.disable", detail=f"user {disabled.id}")
    click.echo(f"user {disabled.name} is disabled", err=True)


@main.group()
def token() -> None:
    """Tokens of programs that use the API."""


@token.command("add")
@click.argument("name")
@click.option("--scope", type=click.Choice(["read", "write"]), required=True)
@click.pass_context
def token_add(ctx: click.Context, name: str, scope: str) -> None:
    """Add a token and print it, this once."""
    from casebook import audit, people
    from casebook.models import Scope
    from gateway.house import open_house

    with open_house(_settings(ctx)) as house, house.database.transaction() as t:
        now = house.clock.now()
        secret = people.add_token(t, name, Scope(scope), now)
        audit.append(t, now, actor="command line", action="token.add", detail=f"scope {scope}")
    click.echo(secret)


@main.command()
@click.argument("case", type=int)
@click.pass_context
def regrade(ctx: click.Context, case: int) -> None:
    """Grade a case again, as its next revision."""
    from casebook import audit, cases
    from gateway.house import open_house

    with open_house(_settings(ctx)) as house, house.database.transaction() as t:
        now = house.clock.now()
        revision = cases.regrade(t, case, now)
        audit.append(t, now, actor="command line", action="case.regrade", case_id=case)
    click.echo(f"case {case} will be graded again as revision {revision.number}", err=True)


@main.command()
@click.argument("case", type=int)
@click.option("--all", "also_sent", is_flag=True, help="Also what was sent before, because it is not there.")
@click.pass_context
def resend(ctx: click.Context, case: int, *, also_sent: bool) -> None:
    """Send at once what has not arrived of a case, also to destinations that are new."""
    from casebook import audit, deliveries
    from gateway.house import open_house

    settings = _settings(ctx)
    with open_house(settings) as house, house.database.transaction() as t:
        now = house.clock.now()
        count = deliveries.resend(t, case, settings.destinations, now, also_sent=also_sent)
        audit.append(t, now, actor="command line", action="case.resend", case_id=case)
    click.echo(f"{count} objects of case {case} wait to be sent", err=True)


@main.command()
@click.pass_context
def fsck(ctx: click.Context) -> None:
    """Check every promise about rows and files (I1 to I10)."""
    from casebook import invariants
    from gateway.house import open_house

    with open_house(_settings(ctx)) as house, house.database.reading() as t:
        findings = list(invariants.check(t, house.archive, house.clock.now()))
    for finding in findings:
        click.echo(f"{finding.invariant}  {finding.what}")
    click.echo("clean" if not findings else f"{len(findings)} promises do not hold", err=bool(findings))
    ctx.exit(1 if findings else 0)


@main.group()
def config() -> None:
    """Settings."""


@config.command("show")
@click.pass_context
def config_show(ctx: click.Context) -> None:
    """Print the settings in force, secrets masked, as TOML that can be used."""
    from gateway.show import as_toml

    click.echo(as_toml(_settings(ctx)), nl=False)
