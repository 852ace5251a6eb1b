"""The commands: ``python -m training run|teach|export|evaluate|compare|shadow|gate``."""

import argparse
import json
import shlex
import signal
import sys
from pathlib import Path

from casebook.errors import RetinaGateError


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return the exit code: 0 done, 2 asked wrongly."""
    options = _parser().parse_args(arguments)
    options.said = sys.argv[1:] if arguments is None else arguments
    try:
        options.command(options)
    except RetinaGateError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    commands = parser.add_subparsers(required=True)
    run = commands.add_parser("run", help="fit a network by a recipe")
    run.add_argument("recipe", help="name of a recipe in training/recipes, or a TOML file")
    _add_data(run)
    run.add_argument("--weights", type=Path, help="safetensors to start from: ImageNet weights or a checkpoint")
    run.add_argument("--out", type=Path, help="folder of the run; training-runs/RECIPE if not given")
    run.add_argument("--fold", type=int, default=0, help="which part of the patients is held out, from 0")
    run.add_argument("--resume", action="store_true", help="go on where the folder's checkpoint stands")
    run.add_argument("--stop-after", type=_seconds, metavar="60m", help="begin no epoch that would end later")
    run.set_defaults(command=_run)
    export = commands.add_parser("export", help="make a bundle of a checkpoint")
    export.add_argument("checkpoint", type=Path)
    _add_data(export)
    export.add_argument("--out", type=Path, required=True, help="folder of the bundle to make")
    export.add_argument(
        "--folds", type=Path, nargs="+", default=[], metavar="CHECKPOINT",
        help="checkpoints with other parts held out; thresholds and calibration are fitted on all of them",
    )  # fmt: skip
    export.set_defaults(command=_export)
    teach = commands.add_parser("teach", help="score photographs with runs that have not seen them, for a student")
    teach.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="folders of finished runs of all folds")
    _add_data(teach)
    teach.add_argument("--out", type=Path, required=True, help="CSV to write")
    teach.set_defaults(command=_teach)
    evaluate = commands.add_parser("evaluate", help="measure a bundle through the service's own functions")
    evaluate.add_argument("bundle", type=Path)
    _add_data(evaluate)
    evaluate.add_argument("--split", choices=["valid", "train"], default="valid")
    evaluate.add_argument("--json", action="store_true", help="print JSON instead of a table")
    evaluate.add_argument("--out", type=Path, help="folder for the report, as JSON and as a page")
    _add_discretion(evaluate)
    evaluate.set_defaults(command=_evaluate)
    compare = commands.add_parser("compare", help="measure two bundles on the same photographs")
    compare.add_argument("bundles", type=Path, nargs=2, metavar="BUNDLE")
    _add_data(compare)
    compare.add_argument("--split", choices=["valid", "train"], default="valid")
    compare.add_argument("--out", type=Path, required=True, help="folder for the report, as JSON and as a page")
    _add_discretion(compare)
    compare.set_defaults(command=_compare)
    shadow = commands.add_parser("shadow", help="compare gradings with a clinic's own grades, before anything is on")
    shadow.add_argument(
        "--cases", type=Path, required=True, help="CSV: path or sop_instance_uid, grade; camera, patient where known"
    )
    shadow.add_argument("--gradings", type=Path, required=True, help="of retinagate grade --json or the API, or a CSV")
    shadow.add_argument("--out", type=Path, required=True, help="folder for the report, as JSON and as a page")
    shadow.set_defaults(command=_shadow)
    gate = commands.add_parser("gate", help="fit the gate, and measure what it catches")
    gate.add_argument("--data", type=Path, required=True, help="folder with labels.csv and negatives/")
    gate.add_argument("--out", type=Path, required=True, help="where to write, e.g. inference/fundus.json")
    gate.add_argument("--report", type=Path, help="folder for gate.json: what is caught, measured on valid")
    gate.set_defaults(command=_gate)
    return parser


def _add_data(command: argparse.ArgumentParser) -> None:
    command.add_argument("--data", type=Path, nargs="+", required=True, help="folders of labelled photographs")


def _add_discretion(command: argparse.ArgumentParser) -> None:
    command.add_argument("--without-photographs", action="store_true", help="show no photograph in the page")


def _export(options: argparse.Namespace) -> None:
    from datetime import UTC, datetime

    from training.bundle.export import export
    from training.measure.evaluate import table
    from training.photographs.sources import read_labels

    photographs, created = read_labels(*options.data), datetime.now(UTC).date()
    print(table(export(options.checkpoint, photographs, options.out, created=created, folds=options.folds)))


def _evaluate(options: argparse.Namespace) -> None:
    from training.measure.evaluate import evaluate, table
    from training.photographs.sources import read_labels

    photographs = read_labels(*options.data)
    if options.out is None:
        found = evaluate(options.bundle, photographs, split=options.split)
    else:
        from datetime import UTC, datetime

        from training.measure.report import report

        found = report(
            options.bundle,
            photographs,
            options.out,
            split=options.split,
            data=options.data,
            created=datetime.now(UTC).date(),
            with_photographs=not options.without_photographs,
        )
    print(json.dumps(found, indent=1) if options.json else table(found))


def _compare(options: argparse.Namespace) -> None:
    from training.measure.compare import compare
    from training.photographs.sources import read_labels

    first, second = options.bundles
    told = compare(
        (first, second),
        read_labels(*options.data),
        options.out,
        split=options.split,
        with_photographs=not options.without_photographs,
    )
    print(*told["sentences"], sep="\n")


def _shadow(options: argparse.Namespace) -> None:
    from training.measure.shadow import shadow

    print(*shadow(options.cases, options.gradings, options.out)["sentences"], sep="\n")


def _gate(options: argparse.Namespace) -> None:
    from training.gate.examples import Sizes
    from training.gate.fit import fit_gate

    print(fit_gate(options.data, options.out, options.report, Sizes()))


def _run(options: argparse.Namespace) -> None:
    from training.fit import checkpoint
    from training.fit.loop import Run, fit
    from training.fit.weights import find
    from training.photographs.sources import read_labels
    from training.recipe import load_recipe

    recipe = load_recipe(options.recipe)
    start = (
        None
        if options.resume
        else find(recipe.architecture, recipe.weights, given=options.weights, folders=options.data)
    )
    asked = Run(
        photographs=read_labels(*options.data),
        out=options.out or Path("training-runs") / Path(options.recipe).stem,
        weights=start,
        fold=options.fold,
        resume=options.resume,
        stop_after=options.stop_after,
    )
    # Whoever ends a run from outside ends it like Ctrl-C: threads are joined, no file is left half written. SIGINT is
    # named too, for a script's background jobs start with it ignored.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)
    try:
        path = fit(recipe, asked)
    except KeyboardInterrupt:
        kept = (asked.out / checkpoint.NAME).exists()
        again = [*(word for word in options.said if word != "--resume"), *(["--resume"] if kept else [])]
        state = "Stopped; finished epochs are kept." if kept else "Stopped before an epoch had ended."
        print(f"\n{state} Go on with: python -m training {shlex.join(again)}", file=sys.stderr)
        sys.exit(130)
    print(path)


def _teach(options: argparse.Namespace) -> None:
    from training.fit.teacher import teach, write_scores
    from training.photographs.sources import read_labels

    photographs = read_labels(*options.data)
    write_scores(teach(options.runs, photographs), photographs, options.data, options.out)
    print(options.out)


def _seconds(text: str) -> float:
    """Read a duration such as 90s, 60m or 2h."""
    unit = {"s": 1, "m": 60, "h": 3600}.get(text[-1:])
    if unit is None:
        raise argparse.ArgumentTypeError("a number with s, m or h is meant, e.g. 60m")
    return float(text[:-1]) * unit


if __name__ == "__main__":
    sys.exit(main())
