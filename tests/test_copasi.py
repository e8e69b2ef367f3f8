"""COPASI gives the same trajectories of every shipped model, spikes included."""

from __future__ import annotations

import os

import numpy as np
import pytest

from cascades.compiler.compiled import compile_model
from cascades.library import load_model, model_names, root
from cascades.protocols import overlay, pulse_train, setting
from cascades.simulate import simulate
from cascades.stops import resolve

pytestmark = [pytest.mark.oracle, pytest.mark.filterwarnings("ignore")]

AGREEMENT = 1e-6  # relative to the largest value of each state
NOTHING = 1e-12  # of the largest state: smaller states are compared with this
DURATION = 1.0  # [s]
TIMES = np.linspace(0.0, DURATION, 6)


@pytest.mark.parametrize("name", model_names())
def test_copasi_agrees(name):
    pytest.importorskip("basico")
    compiled = compile_model(load_model(name))
    protocol = spiking(compiled)
    soon = np.concatenate([protocol.times(), protocol.times() + 0.002])  # when fast states are large
    times = np.union1d(TIMES, soon)
    ours = simulate(compiled, times, protocol=protocol, solver="rodas5p", rtol=1e-10).values[0]
    theirs = run_in_copasi(os.fspath(root() / name / "model.xml"), compiled, protocol, times)
    scale = np.abs(ours).max(axis=0)
    worst = np.abs(ours - theirs).max(axis=0) / np.maximum(scale, NOTHING * scale.max())
    assert worst.max() <= AGREEMENT, (
        f"{compiled.state_names[int(worst.argmax())]} differs by {worst.max():.2g}"
    )


def spiking(compiled):
    """Two spikes on every spike port, and a step of every input that is not zero."""
    stimuli = [overlay([])]
    for port in compiled.equations.ports:
        if port.kind == "spike":
            stimuli.append(pulse_train(rate=5.0, count=2, start=0.1, target=port.name))
        elif port.kind == "input" and compiled.default_values.get(port.symbol):
            value = 1.2 * compiled.default_values[port.symbol]
            stimuli.append(setting(port.name, value, start=0.25, stop=0.45))
    return overlay(stimuli)


def run_in_copasi(path, compiled, protocol, times):
    """The states at the times, shape (times, states), with every change made between two runs."""
    import basico

    model = basico.load_model(path)
    try:
        quantities = _Quantities(basico, compiled)
        stops = resolve(protocol, compiled.equations)
        p = compiled.parameter_array(None)[0]
        y = compiled.initial_array(p[None, :])[0]
        p_start, y_start = p.copy(), y.copy()
        rows, now = [], 0.0
        for edge in times:
            if edge > now:
                y = quantities.advance(y, p, edge - now)
                now = edge
            stops.apply(edge, y, p, y_start, p_start)
            rows.append(y.copy())
        return np.array(rows)
    finally:
        basico.remove_datamodel(model)


class _Quantities:
    """States and parameters of a model under the names that COPASI has for them."""

    def __init__(self, basico, compiled):
        self.basico = basico
        self.states, self.parameters = compiled.state_names, compiled.parameter_names
        self.species = self._names(basico.get_species())
        self.globals = self._names(basico.get_parameters())
        self.sent = {}
        for name in self.species.values():
            basico.set_species(name, exact=True, initial_expression="")
        for name in self.globals.values():
            basico.set_parameters(name, exact=True, initial_expression="")

    @staticmethod
    def _names(table):
        return {} if table is None else dict(zip(table["sbml_id"], table.index, strict=True))

    def advance(self, y, p, duration):
        """The states after `duration` [s]."""
        for id_, value in (*zip(self.parameters, p, strict=True), *zip(self.states, y, strict=True)):
            if self.sent.get(id_) == value:
                continue
            if id_ in self.species:
                self.basico.set_species(self.species[id_], exact=True, initial_concentration=value)
            elif id_ in self.globals:
                self.basico.set_parameters(self.globals[id_], exact=True, initial_value=value)
            else:
                self.basico.set_compartment(id_, exact=True, initial_value=value)
        self.basico.run_time_course(
            duration=duration, intervals=1, automatic=False, method="deterministic", r_tol=1e-10, a_tol=1e-18,
            max_steps=1_000_000, update_model=True,
        )  # fmt: skip
        found = dict(self.basico.get_species()["concentration"]) if self.species else {}
        values = dict(self.basico.get_parameters()["value"]) if self.globals else {}
        after = [
            found[self.species[s]] if s in self.species else values[self.globals[s]] for s in self.states
        ]
        self.sent = dict(zip((*self.parameters, *self.states), (*p, *after), strict=True))
        return np.array(after)
