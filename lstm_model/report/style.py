"""The page's looks: one column on a phone, two or three on a wall, light or dark as the reader's device is."""

from __future__ import annotations

from lstm_model.report.palette import DARK, LIGHT, variables

_RULES = """
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;scroll-behavior:smooth}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,
"Helvetica Neue",Arial,sans-serif;overflow-wrap:break-word}
main,header,footer{max-width:1240px;margin:0 auto;padding:0 16px}
header{padding-top:20px}
h1{font-size:1.5rem;line-height:1.2;margin:0 0 4px}
h2{font-size:1.25rem;margin:36px 0 4px;scroll-margin-top:8px}
h3{font-size:1rem;margin:0 0 6px}
h3:not(:first-child){margin-top:20px}
p{margin:0 0 8px}
a{color:var(--link)}
code{font:.9em ui-monospace,Consolas,monospace}
.when,.note,.axis,.lead,footer{color:var(--quiet)}
.note,.axis,.legend,table,details,footer,nav{font-size:.875rem}
.state{font-size:1.125rem;margin:12px 0}
.lead{margin-bottom:12px}
nav{display:flex;flex-wrap:wrap;gap:4px 16px;margin:12px 0}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,350px),1fr));gap:16px}
.cards+.cards{margin-top:16px}
.card{background:var(--card);border:1px solid var(--rule);border-radius:10px;padding:14px 16px;min-width:0}
.wide{grid-column:1/-1}
.glance{max-width:760px;margin-bottom:16px}
.needs{list-style:none;margin:0;padding:0;display:grid;gap:8px}
.needs li{border-left:5px solid var(--quiet);background:var(--card);border-radius:6px;padding:10px 14px}
.needs li.urgent{border-color:var(--bad);background:var(--urgent)}
.needs li.calm{border-color:var(--good);background:var(--calm)}

.bad,.needs .urgent b{color:var(--bad)}
.calm b{color:var(--good)}
.facts{display:grid;align-items:baseline;grid-template-columns:auto 1fr;gap:0 10px;margin:0 0 6px}
.facts dt{color:var(--quiet)}
.facts dd{margin:0}
.facts b{font-size:1.125rem}
small{font-size:.8125rem;color:var(--quiet);white-space:nowrap}
.legend{list-style:none;display:flex;flex-wrap:wrap;gap:2px 16px;margin:0 0 8px;padding:0;color:var(--quiet)}
.legend li{display:flex;align-items:center;gap:6px}
.key-line{width:24px;border-top:3px solid}
.key-box{width:16px;height:12px;border-radius:2px}.key-box.band80{border:solid var(--edge);border-width:1px 0}
.key-tick{width:3px;height:14px;background:var(--ink)}
i.truth{border-color:var(--truth)}i.forecast{border-color:var(--forecast)}
i.persistence{border-color:var(--persistence);border-top-style:dotted}
i.climatology{border-color:var(--climatology);border-top-style:dashed}
i.damped{border:0;height:3px;background:repeating-linear-gradient(90deg,var(--damped) 0 10px,transparent 10px 13px,
var(--damped) 13px 15px,transparent 15px 18px)}
i.error{border-color:var(--ink);border-top-width:2px}
i.band50{background:var(--band50)}i.band80{background:var(--band80)}i.band90{background:var(--band90)}
.plot{margin:10px 12px 26px 40px}
.plot svg{display:block;overflow:visible;width:100%;height:100%}
.axis{text-align:center;margin:-4px 0 6px}
svg text{font-size:12px;fill:var(--ink)}
svg text.tick,svg text.hint{fill:var(--quiet)}
svg text.mark,svg text.limit,svg text.hint{paint-order:stroke;stroke:var(--card);stroke-width:3px;stroke-linejoin:round}
svg text.mark{font-weight:600}
svg text.limit{fill:var(--limit);font-weight:600}
svg line{stroke:var(--rule)}
svg line.now{stroke:var(--quiet);stroke-dasharray:3 3}
svg line.even{stroke:var(--quiet);stroke-dasharray:5 4}
svg line.limit{stroke:var(--limit);stroke-width:2;stroke-dasharray:8 4}
svg line.promise{stroke:var(--ink);stroke-width:3}
svg line.error{stroke:var(--ink);stroke-width:1.5}
path.line{fill:none;stroke-width:2;vector-effect:non-scaling-stroke;stroke-linejoin:round;stroke-linecap:round}
path.edge{stroke:var(--edge);stroke-width:1}
path.truth{stroke:var(--truth)}
path.forecast{stroke:var(--forecast);stroke-width:2.5}
path.persistence{stroke:var(--persistence);stroke-dasharray:2 5}
path.climatology{stroke:var(--climatology);stroke-dasharray:8 5}
path.damped{stroke:var(--damped);stroke-dasharray:12 4 1 4}
.band90{fill:var(--band90)}.band80{fill:var(--band80)}.band50{fill:var(--band50)}
circle.mark{fill:var(--forecast);stroke:var(--card);stroke-width:1.5}
circle.forecast-dot{fill:var(--forecast)}
rect.reign.odd{fill:var(--band50)}rect.reign.even{fill:var(--band80)}rect.reign.back{fill:var(--urgent);stroke:var(--bad)}
svg text.reign{font-weight:600}
.spark{vertical-align:-2px}.spark rect{fill:var(--link)}.spark .base{fill:var(--quiet)}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;vertical-align:top;padding:4px 10px 4px 0;border-bottom:1px solid var(--rule)}
th{color:var(--quiet);font-weight:600}
td.k,th.k{white-space:nowrap}td:has(.spark){white-space:nowrap}td:last-child,td a{overflow-wrap:anywhere}
th.n,td.n{text-align:right;font-variant-numeric:tabular-nums}
details{margin-top:4px}
summary{color:var(--link);cursor:pointer;padding:4px 0}
footer{padding-top:24px;padding-bottom:32px}
@media(max-width:500px){main,header,footer{padding-left:10px;padding-right:10px}.card{padding:12px 10px}
.plot{margin-left:36px}th,td{padding-right:6px}}
@media print{.card{break-inside:avoid}nav{display:none}}
"""

CSS = (
    f":root{{color-scheme:light dark;{variables(LIGHT)}}}"
    f"@media(prefers-color-scheme:dark){{:root{{{variables(DARK)}}}}}{_RULES}"
).replace("\n", "")
