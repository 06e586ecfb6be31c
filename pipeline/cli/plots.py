"""`pipeline plots`: the pages of `dvc plots` draw without a network."""

from __future__ import annotations

from pathlib import Path

from pipeline.cli.errors import handle_errors
from pipeline.core.errors import PipelineError
from pipeline.core.terminal import say

TEMPLATE = Path(".pipeline", "plots.html")
# DVC puts its plots, and in its own template the addresses of Vega, in place of these names.
PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
{refresh_tag}
<title>Plots of DVC</title>
<script>%s</script>
</head>
<body>
{plot_divs}
</body>
</html>
"""


@handle_errors
def plots() -> None:
    """Have `dvc plots show` and `diff` draw without a network, in this checkout alone.

    Their pages load Vega from a web server: here it is put into the template that DVC makes them
    from, once for all.
    """
    import subprocess
    import sys

    from pipeline.core.files.atomic import atomic_write

    if not Path(".dvc").is_dir():
        raise PipelineError("this folder is no DVC project: run `dvc init`")
    try:
        import vl_convert  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        raise PipelineError(
            "plots need Vega, which vl-convert-python brings: "
            "pip install 'multimodal-pipeline[plots]'"
        ) from None
    vega = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    TEMPLATE.parent.mkdir(exist_ok=True)
    with atomic_write(TEMPLATE) as temporary:
        temporary.write_text(PAGE % vega.replace("</script", r"<\/script"), encoding="utf-8")
    # Of this checkout alone, which has the file; DVC takes a path as relative to .dvc.
    place = ["plots.html_template", str(Path("..", TEMPLATE))]
    subprocess.run([sys.executable, "-m", "dvc", "config", "--local", *place], check=True)
    say(f"`dvc plots show` and `dvc plots diff` now take {TEMPLATE}, which holds Vega")
