"""Measures everything and prints it: `make bench`; `--only live` one part, `--docs` writes docs/benchmarks.md."""

import argparse
import re
import time
import trace
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attributions
import cancel
import compare
import evaluate
import live
import memory
import scrub
import start
import train
import views
from measure import machine, save, table
from tables import (
    attributions_table,
    cancel_table,
    compare_table,
    evaluation_table,
    live_tables,
    memory_table,
    scrub_table,
    start_tables,
    trace_tables,
    views_tables,
)
from training_tables import training_tables

DOCUMENT = Path(__file__).parents[1] / "docs" / "benchmarks.md"

INTRODUCTION = """\
# Benchmarks

`make bench` measures this; `make bench ARGS=--docs` writes this page, and `ARGS="--docs --only live"` a part of it;
parts may be of different hours. All times are milliseconds, unless a table says otherwise, the median and in brackets
the 95th percentile. What is compared is timed in the same run, in turns of a few hundredths of a second or one drawn
digit each, so that all meet the same neighbours on the machine; ratios are medians over these turns.
"""

TRACE = """\
## The trace of every layer

One image through every bundled network. **trace** is `Model.trace(image)`: the activations of all layers as NumPy
arrays. **plain** is the same network as one would write it without Layerscope, from a NumPy image to NumPy
probabilities: in PyTorch an `nn.Sequential` in `inference_mode`, channels last, on one core or on all, whichever is
quicker; in Keras a `tf.function` of the model, compiled for exactly one image, in which TensorFlow may merge layers
because nobody looks between them. That both compute the same probabilities is checked. Beside them are
`keras.Model.predict` and `torchlens.trace`.
"""

LIVE = """\
## From pen to paint

Real pen strokes (UCI Pendigits) are drawn with the mouse in headless Chromium, 1400×1400 pixels, software rendering, on
`{model}` with the panels it begins with: filters and the activations of every layer, and the answer. **median** and
**p95** run from the newest movement in an ink to the second animation frame after the last thing on the page that
changed for it: a canvas painted in a panel, or a changed element there or in the answer card, seen from outside by a
probe that wraps the canvas and watches the document. **from every movement** counts from each movement of the pen, also
from those that wait until the answer before is painted. The **ratio** is to a Dash app of its own that does nothing
but echo one number, drawn upon in turns in the same browser. Network and architecture graphs, which Plotly draws, wait
until the pen rests. **Explained** are the same pages with two more panels: gradient × input, and Grad-CAM of the last
layer that has height and width.
"""

PARTS = "Where the time goes, from the moment at which the page looks at its paper:"

SCRIBBLES = """\
Ten seconds of scribbling without lifting the pen: how many answers were painted and how many requests were under way at
once; how long after the last pointer event the answer to the last ink is painted, and the last graph; and the largest
difference between the probabilities on the page and those of `Model.probabilities` for the ink in the address.
"""

SCREENS = "Pictures of the screen, taken every few points with the pen down, in which a panel looked different:"

COMPARE = """\
## From pen to paint, networks side by side

The page that compares, drawn upon as in *From pen to paint*: what each network says, and the feature maps or units of
every layer of each, in one answer that passes the drawing through each network once (a test holds that).
"""

VIEWS = """\
## Views that take their time

**Feature visualisation** climbs to an image for a class of `cnn-compact` in 200 steps: the view with all its pictures
and penalties, its steps alone, and the same climb with the framework's own Adam, written plainly; `tf-keras-vis`
takes as many steps with the penalties it begins with. **Top images** looks for the 16 of 10,000 images that excite a
unit of the second convolution most; the plain loops compute no layer beyond it. That both come to the same is
checked. The last column is how long the view takes compared with the way in its row; below 1 the view is quicker.
"""

ATTRIBUTIONS = """\
## Why the network thinks so

Each map for one handwritten digit and one class of `cnn-compact`, computed by Layerscope from a NumPy image to a NumPy
map, beside Captum (PyTorch) and tf-keras-vis (Keras) with the same settings: integrated gradients in 16 steps with
their completeness, SmoothGrad over 16 noisy copies, Grad-CAM at the second convolution, occlusion by a square of 5
pixels in steps of 1. Captum is measured on one core and on all, and for occlusion one by one and 64 at once; the
quickest of these stands in the table. That both come to the same map is checked, for SmoothGrad by correlation, as its
noise is random; only tf-keras-vis's Grad-CAM++ is another map, because it divides the paper's α by their sum. **ratio**
is what Layerscope takes of the library's time. Without a number the library beside it has no such map.
"""

EVALUATION = """\
## Evaluating 10,000 images

The MNIST test images from bytes to every metric of the page that evaluates, beside nothing but the framework's own
forward pass over the same images, ready as floats, in batches of 250 or of 1,000, whichever is quicker: in PyTorch an
`nn.Sequential` in `inference_mode`, in Keras `predict`. That both come to the same accuracy is checked.
"""

CANCEL = """\
## Until a stopped view has stopped

Every view that runs on request is started as a job and stopped at a random moment; milliseconds from there until its
thread has ended.
"""

SCRUB = """\
## Through a training

A run of `{model}` with a snapshot for each of 20 epochs is shown with every layer and a digit, and the slider moved
from one to the next, on a page as in *From pen to paint*, at rest before each step: from the slider's event to the
second animation frame after the last panel that changed for it in the answer. The graph of the network, which Plotly
draws, follows at rest as it does under the pen. In the last row it is the page that compares, with the snapshot on both
backends beside one another. The last column is what a snapshot takes when the whole training is played as quickly as it
is painted.
"""

MEMORY = """\
## The server's memory

A server that has just started is asked, with the requests of the page, for every view of every layer of `cnn-compact`
that it fits, but for those of a training, on one backend and then on the other, and then all of it again for another
digit and another unit. Megabytes of its resident memory.
"""

TRAINING = "## Training\n"

START = "## Until there is something to see\n"


MACHINE = "## The machine"


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the parts, prints their tables, and saves everything as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=list(_PARTS), action="append", help="a part to measure; may be repeated")
    parser.add_argument("--model", default="cnn-compact", help="what is drawn for: a bundled network or a weights file")
    parser.add_argument("--docs", action="store_true", help="write what was measured into docs/benchmarks.md")
    arguments = parser.parse_args(argv)
    where, texts = machine(), []
    begin = time.perf_counter()
    save("machine", where)
    for part in arguments.only or _PARTS:
        measure, write = _PARTS[part]
        found = measure(arguments)
        save(part, found)
        texts.append(write(found))
        print(texts[-1], flush=True)
    texts.append(f"{MACHINE}\n\n" + table(("what", "which"), list(where.items())) + "\n")
    print(texts[-1])
    print(f"Measured in {time.perf_counter() - begin:.0f} seconds.")
    if arguments.docs:
        before = DOCUMENT.read_text() if arguments.only and DOCUMENT.is_file() else ""
        DOCUMENT.write_text(page(before, texts))
    return 0


def page(before: str, texts: Sequence[str]) -> str:
    """The page with these sections: each in the place of the one of its title, else at the end; the machine is last."""
    kept = re.split(r"^(?=## )", before, flags=re.MULTILINE)[1:]
    sections = {text.splitlines()[0]: text.strip() for text in [*kept, *texts]}
    last = sections.pop(MACHINE)
    return "\n\n".join([INTRODUCTION.strip(), *sections.values(), last]) + "\n"


def _write_live(found: Mapping[str, Any]) -> str:
    paint, parts, scribbles, screens = live_tables(found)
    introduction = LIVE.format(model=found["model"])
    return "\n".join(
        [introduction, paint, "", PARTS, "", parts, "", SCRIBBLES, scribbles, "", SCREENS, "", screens, ""]
    )


_PARTS: Mapping[str, tuple[Callable[[Any], Any], Callable[[Any], str]]] = {
    "trace": (lambda arguments: trace.measured(), lambda found: f"{TRACE}\n{trace_tables(found)}\n"),
    "live": (lambda arguments: live.measured(arguments.model), _write_live),
    "compare": (lambda arguments: compare.measured(), lambda found: f"{COMPARE}\n{compare_table(found)}\n"),
    "views": (lambda arguments: views.measured(), lambda found: f"{VIEWS}\n{views_tables(found)}\n"),
    "attributions": (
        lambda arguments: attributions.measured(),
        lambda found: f"{ATTRIBUTIONS}\n{attributions_table(found)}\n",
    ),
    "evaluation": (
        lambda arguments: evaluate.measured(),
        lambda found: f"{EVALUATION}\n{evaluation_table(found)}\n",
    ),
    "scrub": (
        lambda arguments: scrub.measured(arguments.model),
        lambda found: f"{SCRUB.format(model='cnn-compact')}\n{scrub_table(found)}\n",
    ),
    "cancel": (lambda arguments: cancel.measured(), lambda found: f"{CANCEL}\n{cancel_table(found)}\n"),
    "memory": (lambda arguments: memory.measured(), lambda found: f"{MEMORY}\n{memory_table(found)}\n"),
    "training": (lambda arguments: train.measured(), lambda found: f"{TRAINING}\n{training_tables(found)}\n"),
    "start": (lambda arguments: start.measured(), lambda found: f"{START}\n{start_tables(found)}\n"),
}

if __name__ == "__main__":
    raise SystemExit(main())
