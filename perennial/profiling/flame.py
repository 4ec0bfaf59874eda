"""A profile as files: a flame graph that any browser shows, the same for speedscope, and the steps as JSON."""

from __future__ import annotations

import dataclasses
import html
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from perennial.core.percent import percent
from perennial.core.store import write_atomically
from perennial.profiling.sampling import Profile, Stack

PAGE = "flame.html"
SPEEDSCOPE = "speedscope.json"
STEPS = "steps.json"
NARROWEST = 0.001
"""Share of the whole under which a box is left out: it could not be seen."""
MOST = 5
HEAD = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>
body{{font:13px system-ui,sans-serif;margin:1rem}}
div.box{{float:left;overflow:hidden;box-sizing:border-box}}
div.box>span{{display:block;height:17px;line-height:17px;white-space:nowrap;overflow:hidden;padding:0 3px;
border:1px solid #fff;cursor:pointer;box-sizing:border-box}}
</style><h1>{title}</h1><p>Each box is a function; those under it are what it calls. Its width is how often it was seen
at work. Click a box to widen it, the topmost to see all.</p><div id="flame">"""
TAIL = """</div><script>
const flame=document.getElementById("flame"),all=[...flame.querySelectorAll(".box")];
all.forEach(b=>b.dataset.width=b.style.width);
flame.addEventListener("click",event=>{
  const chosen=event.target.closest(".box");if(!chosen)return;
  all.forEach(b=>{b.style.width=b.dataset.width;b.style.display=""});
  for(let b=chosen;b.parentElement!==flame;b=b.parentElement){
    [...b.parentElement.children].forEach(o=>{if(o.classList.contains("box")&&o!==b)o.style.display="none"});
    b.style.width="100%";
  }
});
</script></html>
"""


@dataclass
class Node:
    """A function in one place of the tree of calls."""

    samples: int = 0
    """How often it was seen, itself or what it calls."""
    children: dict[str, Node] = field(default_factory=dict)


def write_profile(profile: Profile, folder: Path, title: str) -> Path:
    """Write PAGE, SPEEDSCOPE and STEPS to `folder`; the path of PAGE."""
    write_atomically(folder / PAGE, page(profile, title))
    write_atomically(folder / SPEEDSCOPE, json.dumps(speedscope(profile, title)))
    write_atomically(folder / STEPS, json.dumps(steps(profile), indent=1) + "\n")
    return folder / PAGE


def steps(profile: Profile) -> list[dict[str, Any]]:
    """Each step's costs, and the functions it spent most seconds in."""
    costs = []
    for step in profile.steps:
        most = {name: round(seconds, 3) for name, seconds in profile.seconds_in(step.name).most_common(MOST)}
        costs.append({**dataclasses.asdict(step), "most": most})
    return costs


def speedscope(profile: Profile, title: str) -> dict[str, Any]:
    """The profile in speedscope's file format (sampled, weights in samples)."""
    places: dict[str, int] = {}
    samples = [[places.setdefault(name, len(places)) for name in stack] for stack in profile.stacks]
    weights = list(profile.stacks.values())
    return {
        "$schema": "https://www.speedscope.app/file-format-schema.json",
        "name": title,
        "shared": {"frames": [{"name": name} for name in places]},
        "profiles": [
            {
                "type": "sampled",
                "name": title,
                "unit": "none",
                "startValue": 0,
                "endValue": sum(weights),
                "samples": samples,
                "weights": weights,
            }
        ],
    }


def page(profile: Profile, title: str) -> str:
    """The flame graph as one page that needs nothing else."""
    root = tree(profile.stacks)
    boxes = "".join(_boxes("all", root, root.samples, root.samples))
    return HEAD.format(title=html.escape(title)) + boxes + TAIL


def tree(stacks: Mapping[Stack, int]) -> Node:
    """The tree of calls that `stacks` are the paths of."""
    root = Node()
    for stack, samples in stacks.items():
        node = root
        node.samples += samples
        for name in stack:
            node = node.children.setdefault(name, Node())
            node.samples += samples
    return root


def _boxes(name: str, node: Node, above: int, whole: int) -> Iterator[str]:
    if not node.samples or node.samples < NARROWEST * whole:
        return
    shown = html.escape(f"{name} {percent(node.samples / whole, 1)}")
    colour = f"hsl({20 + sum(name.encode()) % 35} 85% {62 + sum(name.encode()) % 18}%)"
    yield f'<div class="box" style="width:{100 * node.samples / above:.3f}%">'
    yield f'<span title="{shown}" style="background:{colour}">{shown}</span>'
    for child, below in sorted(node.children.items(), key=lambda item: -item[1].samples):
        yield from _boxes(child, below, node.samples, whole)
    yield "</div>"
