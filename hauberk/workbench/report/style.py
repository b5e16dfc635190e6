# SPDX-License-Identifier: Apache-2.0
"""How the page looks, by day and by night."""

from typing import Final

STYLE: Final = """
:root {
  --ground: #f6f7f9; --card: #ffffff; --ink: #16202c; --soft: #5a6675; --line: #dfe4ea; --head: #eef1f5;
  --refused: #c8321f; --audited: #d99a06; --passed: #4a7fb5; --good: #1d7f4f; --track: #eceff3;
  --audited-ink: #8a6100;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #11161d; --card: #1a212b; --ink: #e7ecf2; --soft: #9aa7b6; --line: #2c3643; --head: #222b37;
    --refused: #ff6f5b; --audited: #f2bd45; --passed: #6aa5df; --good: #55c98f; --track: #28313d;
    --audited-ink: #f2bd45;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; padding: 2rem 1.25rem 3rem; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif;
}
main { max-width: 70rem; margin: 0 auto; }
h1 { font-size: 1.6rem; margin: 0; letter-spacing: -0.01em; }
h2 { font-size: 1.05rem; margin: 0 0 0.75rem; }
p { margin: 0.25rem 0; }
.soft { color: var(--soft); }
.tiles {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(10rem, 1fr)); gap: 1rem; margin: 1.5rem 0;
}
.tile, section {
  background: var(--card); border: 1px solid var(--line); border-radius: 0.6rem; padding: 1rem 1.25rem;
}
.tile b { display: block; font-size: 1.8rem; line-height: 1.2; font-variant-numeric: tabular-nums; }
.tile span { color: var(--soft); font-size: 0.9rem; }
section { margin: 1rem 0; overflow-x: auto; }
.pair {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(26rem, 1fr)); gap: 0 1rem; align-items: start;
}
table { width: 100%; border-collapse: collapse; }
th { text-align: left; font-weight: 600; font-size: 0.8rem; color: var(--soft); padding: 0 0.75rem 0.4rem 0; }
td { padding: 0.3rem 0.75rem 0.3rem 0; border-top: 1px solid var(--line); vertical-align: middle; }
td.name {
  font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: 0.85rem; overflow-wrap: anywhere;
}
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.plot { width: 32%; min-width: 7rem; }
svg { display: block; width: 100%; }
svg.bar { height: 0.8rem; background: var(--track); border-radius: 0.2rem; }
svg.trend { height: auto; }
rect.refused { fill: var(--refused); }
rect.audited { fill: var(--audited); }
rect.passed { fill: var(--passed); }
b.refused { color: var(--refused); }
b.audited { color: var(--audited-ink); }
b.passed { color: var(--passed); }
b.good { color: var(--good); }
line.grid { stroke: var(--line); stroke-width: 1; }
text.label { fill: var(--soft); font-size: 12px; }
.legend { display: flex; gap: 1.25rem; font-size: 0.85rem; color: var(--soft); margin: 0 0 0.5rem; }
.legend span { display: inline-flex; align-items: center; gap: 0.4rem; }
.legend svg { width: 0.8rem; height: 0.8rem; border-radius: 0.15rem; }
.warn { border-left: 0.3rem solid var(--audited); }
@media print { body { padding: 0; } section, .tile { break-inside: avoid; } }
"""
