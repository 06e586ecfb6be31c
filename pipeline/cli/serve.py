"""`pipeline serve`: a model answers over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.errors import handle_errors
from pipeline.core.errors import PipelineError
from pipeline.core.terminal import say

# At once; each may hold a body in memory.
CONNECTIONS = 32


@handle_errors
def serve(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL|PACKAGE",
            help="A name of `models` or of aliases.yaml; or the folder of a package, with a `/`.",
        ),
    ],
    host: Annotated[
        str, typer.Option(help="Address to listen at; others than this machine's reach 0.0.0.0.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen at.")] = 8000,
    mebibytes: Annotated[int, typer.Option(min=1, help="Most that one request may have.")] = 32,
    samples: Annotated[int, typer.Option(min=1, help="Most samples of one request.")] = 64,
    seconds: Annotated[
        float,
        typer.Option(min=0.1, help="Most for a request to come in, and to be answered."),
    ] = 60.0,
) -> None:
    """Answer over HTTP: POST /predict and /predict/files, GET /health; /docs shows how.

    Nobody is asked who they are: let in others than yourself only behind a server that does.
    """
    from pipeline.core.machine.environment import establish, stated_instructions
    from pipeline.project.contents import DESCRIPTION, establish_package

    handed_over = "/" in model or (Path(model) / DESCRIPTION).is_file()
    if handed_over:
        establish_package(Path(model))
    else:
        establish(stated_instructions())
    try:
        import uvicorn

        from pipeline.serving.app import create_app
        from pipeline.serving.limits import Limits
    except ModuleNotFoundError as error:
        raise PipelineError(
            f"serving needs {error.name}: `pip install 'multimodal-pipeline[serve]'`"
        ) from None
    from pipeline.inference import Predictor

    predictor = Predictor.open(model) if handed_over else Predictor.load(Path(), model)
    app = create_app(predictor, Limits(mebibytes, samples, seconds))
    say(f"http://{host}:{port}/docs shows what may be asked; Ctrl-C ends it", error=True)
    uvicorn.run(
        app,
        host=host,
        port=port,
        log_level="warning",
        server_header=False,
        limit_concurrency=CONNECTIONS,
    )
