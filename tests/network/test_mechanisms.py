"""Each mechanism does what its paper says, and all of them survive a checkpoint."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

from cascades.errors import NetworkError
from cascades.network import (
    FixedInDegree,
    LeakyIntegrateAndFire,
    Network,
    Pairs,
    PoissonSource,
    Population,
    ReplayedSource,
    Synapses,
    balanced_network,
    run_network,
)
from cascades.network.plasticity import (
    MECHANISMS,
    BennaFusi,
    CascadeSynapse,
    DerivedLatePhase,
    ImportanceScaling,
    IntrinsicExcitability,
    NeuromodulatedGate,
    SlidingThreshold,
    SlotPool,
    SlowVariable,
    SpineTurnover,
    SpontaneousSwitching,
    SynapticScaling,
    TagAndCapture,
)
from cascades.network.session import Session
from cascades.reduction.late import Course, LatePhase
from cascades.reduction.published import published_rule
from cascades.reduction.rule import CalciumRule, CalciumTrace, WellTable

RULE = dataclasses.replace(published_rule("cortical slice"), sigma=0.0, well="none")
HOUR = 3_600_000.0
LATE = LatePhase(3600.0, 1800.0, 4000.0, 0.05, 0.4, 0.6, 0.5, 2.0, 1.5)


def quiet(mechanism, *, synapses=4, efficacy=0.5, rule=RULE, dt=1.0):
    """Synapses onto one neuron, and no spikes at all."""
    return Network(
        [
            Population("in", synapses, ReplayedSource(np.zeros(0), np.zeros(0, int))),
            Population("out", 1, LeakyIntegrateAndFire()),
        ],
        [
            Synapses("in", "out", Pairs(np.arange(synapses), np.zeros(synapses, int)), 0.0, 20.0,
                     plastic=True, efficacy=efficacy),
        ],
        rule,
        [mechanism],
        dt=dt,
    )  # fmt: skip


def driven(mechanism, rate, *, size=50, weight=6.0, rule=RULE, efficacy=0.5):
    """Neurons that many Poisson sources drive through plastic synapses."""
    return Network(
        [Population("in", 400, PoissonSource(rate)), Population("out", size, LeakyIntegrateAndFire())],
        [Synapses("in", "out", FixedInDegree(100), weight, plastic=True, efficacy=efficacy)],
        rule,
        [] if mechanism is None else [mechanism],
    )


def test_synapses_switch_on_their_own_as_a_two_state_chain():
    """p_up(t) relaxes with 1 / mean_down + 1 / mean_up, whatever the interval between visits."""
    down, up, size, duration = 40_000.0, 10_000.0, 20_000, 6_000.0
    chance = 1.0 / down / (1.0 / down + 1.0 / up) * -math.expm1(-duration * (1.0 / down + 1.0 / up))
    for interval in (100.0, 3_000.0):
        mechanism = SpontaneousSwitching(interval=interval, mean_down=down, mean_up=up)
        found = run_network(quiet(mechanism, synapses=size, efficacy=0.0), duration, seed=3)
        share = np.mean(found.efficacies > 0.5)
        assert share == pytest.approx(chance, abs=4.0 * math.sqrt(chance / size))


@pytest.mark.parametrize("blocked", [False, True])
def test_the_derived_late_phase_is_that_of_its_replay(blocked):
    """One burst potentiates a synapse at 10 s; what is captured is what the reduced equations say."""
    rule = CalciumRule(
        theta_d=1e3,
        theta_p=0.5,
        gamma_d=0.0,
        gamma_p=50.0,
        tau=1e9,
        well="none",
        calcium=CalciumTrace(tau=0.1),
    )
    spikes = 10_000.0 + 10.0 * np.arange(20)
    block = ((0.0, 0.5 * HOUR),) if blocked else ()
    mechanism = DerivedLatePhase(interval=1000.0, late=LATE, protein_block=block)
    network = Network(
        [
            Population("in", 1, ReplayedSource(spikes, np.zeros(20, int))),
            Population("out", 1, LeakyIntegrateAndFire()),
        ],
        [Synapses("in", "out", Pairs([0], [0]), 0.0, 20.0, plastic=True, efficacy=0.0)],
        rule, [mechanism], dt=1.0,
    )  # fmt: skip
    found = run_network(network, HOUR, seed=0)
    course = Course((10.5,), tuple((a / 1000.0, b / 1000.0) for a, b in block))
    expected = LATE.replay(course, [3600.0])
    memory = found.memories["DerivedLatePhase"]
    for name, neuron in (("tag", 0), ("protein", -1), ("late", 0)):
        assert memory[name][neuron] == pytest.approx(expected[name][0], rel=0.01), name
    assert found.efficacies[0] == pytest.approx(1.0 + memory["late"][0] / LATE.limit, abs=1e-4)


def test_scaling_brings_the_rate_to_its_target():
    rule = dataclasses.replace(RULE, gamma_d=0.0, gamma_p=0.0)
    fast = SynapticScaling(interval=100.0, target=5.0, tau=1000.0, tau_rate=500.0)
    for rate in (20.0, 60.0):
        free = run_network(driven(None, rate, rule=rule), 5000.0, seed=1).rate("out", after=3500.0)
        held = run_network(driven(fast, rate, rule=rule), 5000.0, seed=1).rate("out", after=3500.0)
        assert held == pytest.approx(5.0, rel=0.15)
        assert abs(free - 5.0) > 2.0


def test_scaling_of_silent_neurons_has_its_time_course():
    """s' = s (target - rate) / (target tau), where the average rate decays from the target to zero."""
    mechanism = SynapticScaling(interval=10.0, target=5.0, tau=2000.0, tau_rate=500.0)
    session = Session.new(quiet(mechanism), 0, 1)
    for t in (500.0, 1500.0, 4000.0):
        session.advance(round(t) + 1)
        expected = math.exp((t - 500.0 * (1.0 - math.exp(-t / 500.0))) / 2000.0)
        assert_allclose(session.view().scale[4], expected, rtol=5e-3)


def test_excitability_of_silent_neurons_falls_at_its_speed():
    """A silent neuron's threshold falls by threshold_rate until it has gone its range."""
    mechanism = IntrinsicExcitability(
        interval=10.0, target=5.0, tau_rate=1.0, threshold_rate=2.0, threshold_range=5.0
    )
    session = Session.new(quiet(mechanism), 0, 1)
    for t, expected in ((1000.0, -47.0), (2000.0, -49.0), (5000.0, -50.0)):
        session.advance(round(t) + 1)
        assert session.view().threshold[4] == pytest.approx(expected, abs=1e-3)


def test_excitability_moves_thresholds_within_their_range():
    rule = dataclasses.replace(RULE, gamma_d=0.0, gamma_p=0.0)
    mechanism = IntrinsicExcitability(interval=100.0, target=5.0, tau_rate=500.0, threshold_rate=2.0)
    network = driven(mechanism, 40.0, rule=rule)
    session = Session.new(network, 1, 1)
    session.advance(50_001)
    moved = session.view().threshold[400:] - (-45.0)
    assert moved.min() > 1.0
    assert moved.max() <= 5.0 + 1e-4


def test_slots_are_conserved():
    """Potentiated synapses take from the others, in proportion; the sum goes back to the pool."""
    network = quiet(SlotPool(interval=100.0, tau=500.0), efficacy=np.array([0.2, 0.2, 0.2, 0.2]))
    session = Session.new(network, 0, 1)
    session.view().plastic[0].efficacy[0] = 0.6
    session.advance(10_001)
    found = session.view().plastic[0].efficacy
    assert_allclose(found.sum(), 0.8, rtol=1e-4)
    assert_allclose(found[1:], 0.2 * 0.8 / 1.2, rtol=1e-4)


def test_sliding_threshold_is_bcm():
    """Active neurons need more calcium: their synapses are depressed where the fixed rule potentiates."""
    mechanism = SlidingThreshold(interval=100.0, target=5.0, tau_rate=1000.0, highest=1.5)
    fixed = run_network(driven(None, 40.0), 4000.0, seed=1)
    slid = run_network(driven(mechanism, 40.0), 4000.0, seed=1)
    assert fixed.rate("out") > 10.0
    assert slid.efficacies.mean() < fixed.efficacies.mean() - 0.02
    idle = run_network(driven(SlidingThreshold(target=5.0, power=0.0), 40.0), 1000.0, seed=1)
    same = run_network(driven(None, 40.0), 1000.0, seed=1)
    assert_allclose(idle.efficacies, same.efficacies, atol=1e-6)


def test_slow_variable_interpolates_the_rule():
    low, high = RULE, dataclasses.replace(RULE, theta_p=1.9, gamma_d=2.0)
    mechanism = SlowVariable(
        interval=100.0, name="miRNA", values=(0.0, 1.0), rules=(low, high), tau=1e-3, targets=(0.5,)
    )
    middle = dataclasses.replace(RULE, theta_p=math.sqrt(1.3 * 1.9), gamma_d=math.sqrt(low.gamma_d * 2.0))
    found = run_network(driven(mechanism, 30.0), 1000.0, seed=1)
    expected = run_network(driven(None, 30.0, rule=middle), 1000.0, seed=1)
    assert found.memories["SlowVariable"]["value"][-1] == pytest.approx(0.5)
    # the first interval runs with the rule of the start
    assert found.efficacies.mean() == pytest.approx(expected.efficacies.mean(), abs=0.01)
    with pytest.raises(NetworkError, match="each needs a target"):
        driven(dataclasses.replace(mechanism, rates=(0.0, 1.0)), 1.0)
    with pytest.raises(NetworkError, match="miRNA: tau must be that"):
        driven(dataclasses.replace(mechanism, rules=(low, dataclasses.replace(high, tau=1.0))), 1.0)


def test_nothing_changes_without_the_neuromodulator():
    start = dataclasses.replace(driven(None, 40.0).synapses[0], efficacy=0.5)
    gate = NeuromodulatedGate(tau=1000.0)
    shut = run_network(driven(gate, 40.0), 2000.0, seed=1)
    assert_allclose(shut.efficacies, start.efficacy)
    rewarded = dataclasses.replace(gate, pulses=((1000.0, 1500.0, 1.0),))
    found = run_network(driven(rewarded, 40.0), 2000.0, seed=1)
    assert np.abs(found.efficacies - 0.5).mean() > 0.01
    assert_allclose(found.mean_efficacy["in -> out"][found.times <= 1000.0], 0.5, atol=1e-6)


def test_eligibility_pays_out_in_full():
    """Under constant tone 1 a trace gives all that the rule had proposed."""
    network = quiet(NeuromodulatedGate(interval=10.0, tau=100.0, tone=1.0))
    session = Session.new(network, 0, 1)
    session.view().plastic[0].efficacy[0] += 0.2
    session.advance(2001)
    assert_allclose(session.view().plastic[0].expressed, [0.7, 0.5, 0.5, 0.5], atol=1e-5)


def forgetting(depth, events=300, synapses=40_000, chance=1.0):
    """Correlation with a stored memory under random events, each in a part `chance` of the synapses."""
    mechanism = CascadeSynapse(depth=depth)
    rng = np.random.default_rng(1)
    strength = rng.integers(0, 2, synapses).astype(np.float32)
    state = rng.integers(0, depth, synapses).astype(np.int8)
    for _ in range(200):  # to the equilibrium of ongoing activity
        mechanism.transitions(rng.choice([-1, 1], synapses), strength, state, rng)
    memory = rng.choice([-1, 1], synapses)
    mechanism.transitions(memory, strength, state, rng)
    found = []
    for _ in range(events):
        event = rng.choice([-1, 1], synapses) * (rng.random(synapses) < chance)
        mechanism.transitions(event, strength, state, rng)
        found.append(float(((2.0 * strength - 1.0) * memory).mean()))
    return np.array(found)


def test_cascade_forgets_by_a_power_law():
    """Fusi, Drew & Abbott 2005: exponential for depth 1, close to 1/t for a deep cascade."""
    chance, sampling = 0.1, 4.0 / math.sqrt(40_000)
    plain, deep = forgetting(1, 30, chance=chance), forgetting(8)
    # one state: each event replaces what was stored, so that (1 - chance) of the signal is left
    assert_allclose(plain, (1.0 - chance) ** np.arange(1, 31), atol=sampling)
    assert deep[20] > sampling
    t = np.arange(1, deep.size + 1)
    window = (t >= 3) & (t <= 100)
    slope = np.polyfit(np.log(t[window]), np.log(np.maximum(deep[window], 1e-3)), 1)[0]
    assert -1.4 < slope < -0.4


def test_benna_fusi_keeps_its_contents_and_fades_slowly():
    mechanism = BennaFusi(interval=100.0, vessels=8, tau=100.0)
    exchange = mechanism.exchange()
    volume = 2.0 ** np.arange(8)
    assert_allclose(volume @ exchange, volume, rtol=1e-12)
    level = np.zeros(8)
    level[0] = 1.0
    seen = []
    for _ in range(1000):
        level = exchange @ level
        seen.append(level[0])
    t = np.arange(1, 1001)
    window = (t > 3) & (t < 300)
    slope = np.polyfit(np.log(t[window]), np.log(np.array(seen)[window]), 1)[0]
    assert slope == pytest.approx(-0.5, abs=0.15)  # one over the square root of time


# Luboeinski & Tetzlaff (2021) Commun. Biol. 4:275, in efficacies of 10 mV
EARLY = CalciumRule(
    theta_d=1.2, theta_p=3.0, gamma_d=313.1 / 688.4, gamma_p=1645.6 / 688.4, tau=688.4, well="table",
    well_table=WellTable((0.0, 1.0), (0.1 * 0.420075 / 688.4, -0.1 * 0.579925 / 688.4)),
    calcium=CalciumTrace(0.0, 1.0, 0.2758, 0.0488, 0.0188),
)  # fmt: skip


def test_tags_and_proteins_last_as_long_as_published():
    """After saturation at twice the baseline: protein synthesis ends after 1.33 h, the tag after 3.08 h."""
    mechanism = TagAndCapture(interval=36_000.0)
    network = quiet(mechanism, synapses=1, efficacy=2.0 * mechanism.baseline, rule=EARLY, dt=20.0)
    session = Session.new(network, 0, 1)
    tag, protein = [], []
    for k in range(1, 360):
        session.advance(k * 1800 + 1)
        change = float(session.view().plastic[0].efficacy[0]) - mechanism.baseline
        if change <= mechanism.tag_threshold:
            tag.append(k)
        if change <= mechanism.protein_threshold:
            protein.append(k)
    assert protein[0] * 0.01 == pytest.approx(1.33, abs=0.015)
    assert tag[0] * 0.01 == pytest.approx(3.08, abs=0.02)


def test_late_phase_builds_up_as_published():
    """Saturating stimulation: z = 0.308 after 1 h and 0.951 after 4 h, w / h0 = 2.951."""
    mechanism = TagAndCapture(interval=6000.0)
    still = dataclasses.replace(EARLY, well="none", well_table=None, gamma_d=0.0, gamma_p=0.0)
    network = quiet(mechanism, synapses=1, efficacy=2.0 * mechanism.baseline, rule=still)
    session = Session.new(network, 0, 1)
    view, memory = session.view(), session.memories[0]
    for k in range(1, 2401):
        mechanism.apply(view, memory)
        if k == 600:
            assert memory["late"][0] == pytest.approx(0.308, abs=2e-3)
    assert memory["late"][0] == pytest.approx(0.951, abs=1e-3)
    assert view.plastic[0].expressed[0] / mechanism.baseline == pytest.approx(2.951, abs=2e-3)


def test_protein_block_prevents_the_late_phase():
    mechanism = TagAndCapture(interval=6000.0, protein_block=((0.0, 10 * HOUR),))
    session = Session.new(quiet(mechanism, synapses=1, efficacy=0.84), 0, 1)
    view, memory = session.view(), session.memories[0]
    for _ in range(600):
        mechanism.apply(view, memory)
    assert memory["late"][0] == 0.0


def test_important_synapses_change_less():
    mechanism = ImportanceScaling(interval=100.0, strength=20.0, ends=(500.0,))
    session = Session.new(quiet(mechanism), 0, 1)
    efficacy = session.view().plastic[0].efficacy
    session.advance(401)
    efficacy[0] += 0.3  # the first task
    session.advance(601)
    assert efficacy[0] == pytest.approx(0.8)
    efficacy[:2] -= 0.2  # the second
    session.advance(701)
    assert efficacy[0] == pytest.approx(0.8 - 0.2 / (1.0 + 20.0 * 0.3), abs=1e-5)
    assert efficacy[1] == pytest.approx(0.3, abs=1e-5)


def test_turnover_has_its_rate_and_spares_strong_synapses():
    month = 30 * 24 * HOUR
    mechanism = SpineTurnover(interval=month / 30.0, per_month=0.075)
    network = Network(
        [Population("E", 200, LeakyIntegrateAndFire())],
        [Synapses("E", "E", FixedInDegree(100), 0.0, plastic=True)],
        RULE,
        [mechanism],
    )
    session = Session.new(network, 0, 1)
    view, memory = session.view(), session.memories[0]
    p = view.plastic[0]
    strong = (p.efficacy > 0.7).sum()
    for _ in range(30):
        session.built.tick += 1  # another moment, other random numbers
        mechanism.apply(view, memory)
        assert p.efficacy.size == 20_000
    lost = memory["lost"][0] / 20_000
    assert lost == pytest.approx(0.075, rel=0.1)
    assert (p.efficacy > 0.7).sum() / strong > 1.0 - lost / 2.0
    # rows and columns still say the same
    column, ends = session.built.plastic.column, session.built.plastic.ends
    assert (np.bincount(p.target, minlength=200) == 100).all()
    for neuron in (0, 17, 199):
        assert (p.target[column[ends[neuron] : ends[neuron + 1]]] == neuron).all()
    assert (p.source != p.target).all()


@pytest.mark.parametrize(
    "mechanism", [m for m in MECHANISMS if m is not SlowVariable], ids=lambda m: m.__name__
)
def test_checkpoint_with_every_mechanism(mechanism, tmp_path):
    described = {"interval": 20.0}
    if mechanism is DerivedLatePhase:
        described["late"] = LATE
    if mechanism is SpineTurnover:
        described["per_month"] = 1e6
    network = balanced_network(RULE, neurons=200, inputs=20, mechanisms=[mechanism(**described)])
    path = tmp_path / "state.npz"
    run_network(network, 100.0, seed=2, checkpoint=path)
    second = run_network(network, 100.0, seed=2, checkpoint=path)
    whole = run_network(network, 200.0, seed=2)
    assert np.array_equal(second.efficacies, whole.efficacies)
    assert np.array_equal(second.spike_times, whole.spike_times[whole.spike_times > 100.0])
    for name, value in whole.memories[mechanism.__name__].items():
        assert np.array_equal(second.memories[mechanism.__name__][name], value), name


def test_rivals_are_refused():
    with pytest.raises(NetworkError, match="only one mechanism"):
        balanced_network(RULE, neurons=200, inputs=20, mechanisms=[CascadeSynapse(), TagAndCapture()])
    with pytest.raises(NetworkError, match="interval must be at least dt"):
        balanced_network(RULE, neurons=200, inputs=20, mechanisms=[SynapticScaling(interval=0.0)])
    with pytest.raises(NetworkError, match="remember single synapses"):
        balanced_network(RULE, neurons=200, inputs=20, mechanisms=[BennaFusi(), SpineTurnover()])


def test_decay_of_the_early_phase():
    """The linear well of the early phase relaxes with 6884 s: 1.91 h."""
    rest = EARLY.calcium.rest
    assert rest == 0.0
    found = EARLY.replay([], [], [6884.0], rho=0.840150)
    assert found[0] == pytest.approx(0.420075 * (1.0 + math.exp(-1.0)), rel=1e-6)
