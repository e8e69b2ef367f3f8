"""Mass-action models of the sizes that users have, for measuring: 11, 73 and 230 states.

The wiring is that of a spine (calmodulin and its partners, PKA, PP1, AMPA receptors); the constants are
round numbers of the right order.  They are yardsticks, not models of anything.
"""

from __future__ import annotations

from itertools import combinations

Names = tuple[str, ...]


class Wiring:
    """Species, parameters and mass-action reactions as they are written down."""

    def __init__(self, name: str):
        self.name = name
        self.initial: dict[str, float] = {}
        self.values: dict[str, float] = {}
        self.reactions: list[tuple[Names, Names, str]] = []

    def has(self, **amounts: float) -> None:
        self.initial.update(amounts)

    def go(self, reactants: str, products: str, parameter: str, value: float | None = None) -> None:
        """`reactants` and `products` are names with spaces between them."""
        sides = tuple(reactants.split()), tuple(products.split())
        for species in (*sides[0], *sides[1]):
            self.initial.setdefault(species, 0.0)
        if value is not None:
            self.values[parameter] = value
        self.reactions.append((*sides, parameter))

    def bind(self, a: str, b: str, ab: str, on: float, off: float) -> None:
        self.go(f"{a} {b}", ab, f"on_{ab}", on)
        self.go(ab, f"{a} {b}", f"off_{ab}", off)

    def catalyse(
        self, enzyme: str, substrate: str, product: str, on: float, off: float, turnover: float
    ) -> None:
        both = f"{enzyme}_{substrate}"
        self.bind(enzyme, substrate, both, on, off)
        self.go(both, f"{enzyme} {product}", f"cat_{both}", turnover)

    def antimony(self, train: tuple[str, float, float, float, int] | None = None) -> str:
        """Antimony text.  `train` is (state, jump, start, interval, count): one recurring event."""
        lines = [f"model {self.name}()", "compartment cell = 1;"]
        lines += [f"species {name} in cell; {name} = {value!r};" for name, value in self.initial.items()]
        lines += [f"{name} = {value!r};" for name, value in self.values.items()]
        for i, (reactants, products, k) in enumerate(self.reactions):
            law = " * ".join((k, *reactants))
            lines.append(f"r{i}: {' + '.join(reactants)} -> {' + '.join(products)}; {law};")
        if train is not None:
            lines.append(recurring(*train))
        return "\n".join([*lines, "end"])


def recurring(state: str, jump: float | str, start: float, interval: float, count: int) -> str:
    """Antimony text of a spike train as one recurring event: what other simulators run fastest."""
    return (
        f"next_spike = {start!r}; spikes_left = {count}; var next_spike; var spikes_left;\n"
        f"at (time >= next_spike && spikes_left > 0): {state} = {state} + {jump}, "
        f"next_spike = next_spike + {interval!r}, spikes_left = spikes_left - 1;"
    )


def _calcium(w: Wiring, p: str = "") -> None:
    w.has(**{f"{p}Ca": 0.1, f"{p}B": 20.0})
    w.go(f"{p}Ca", "", f"pump{p}", 20.0)
    w.go("", f"{p}Ca", f"leak{p}", 2.0)
    w.bind(f"{p}B", f"{p}Ca", f"{p}BCa", 50.0, 100.0)


def _kinase_off(w: Wiring, p: str, active: str, phosphorylated: str) -> None:
    """CaMKII phosphorylates its neighbour; PP1 takes the phosphate off again."""
    w.go(f"{active} {active}", f"{phosphorylated} {active}", f"autophosphorylation{p}", 0.3)
    w.go(f"{active} {phosphorylated}", f"{phosphorylated} {phosphorylated}", f"auto_p{p}", 0.6)
    w.catalyse(f"{p}PP1", f"{p}Kp", f"{p}K", 0.5, 0.5, 0.6)
    w.catalyse(f"{p}PP1", phosphorylated, active, 0.5, 0.5, 0.6)


def _downstream(w: Wiring, p: str, phosphatase: str, kinase: str) -> None:
    """PKA, inhibitor-1, PP1 and AMPA receptors with two sites at three places: 43 states."""
    w.has(**{f"{p}cAMP": 0.05, f"{p}RC": 2.0, f"{p}I": 2.0, f"{p}PP1": 1.0})
    w.go("", f"{p}cAMP", f"cyclase{p}", 0.02)
    w.go(f"{p}cAMP", "", f"pde{p}", 0.3)
    w.bind(f"{p}RC", f"{p}cAMP", f"{p}RC1", 2.0, 0.5)
    w.bind(f"{p}RC1", f"{p}cAMP", f"{p}RC2", 2.0, 1.0)
    w.bind(f"{p}R2", f"{p}PKA", f"{p}RC2", 2.0, 1.0)
    w.go(f"{p}R2", f"{p}R {p}cAMP {p}cAMP", f"free_R{p}", 0.2)
    w.go(f"{p}R {p}PKA", f"{p}RC", f"join_R{p}", 5.0)
    w.catalyse(f"{p}PKA", f"{p}I", f"{p}Ip", 2.0, 1.0, 5.0)
    w.catalyse(phosphatase, f"{p}Ip", f"{p}I", 1.0, 1.0, 1.0)
    w.bind(f"{p}Ip", f"{p}PP1", f"{p}Ip_PP1", 5.0, 0.02)
    w.catalyse(phosphatase, f"{p}Ip_PP1", f"{p}I_PP1", 1.0, 1.0, 0.5)
    w.go(f"{p}I_PP1", f"{p}I {p}PP1", f"release_PP1{p}", 1.0)
    w.has(**{f"{p}A00{place}": 1.0 for place in "ied"})
    for s845 in "01":
        for s831 in "01":
            a = f"{p}A{s845}{s831}"
            w.go(f"{a}i", f"{a}e", f"exo{s845}{p}", (2e-4, 2e-3)[int(s845)])
            w.go(f"{a}e", f"{a}i", f"endo{s845}{p}", (2e-3, 5e-4)[int(s845)])
            w.go(f"{a}e", f"{a}d", f"trap{s831}{p}", (1e-2, 3e-2)[int(s831)])
            w.go(f"{a}d", f"{a}e", f"leave{s831}{p}", (3e-2, 5e-3)[int(s831)])
    for site in "01":
        for place in "ie":
            w.catalyse(f"{p}PKA", f"{p}A0{site}{place}", f"{p}A1{site}{place}", 1.0, 1.0, 1.0)
            w.catalyse(phosphatase, f"{p}A1{site}{place}", f"{p}A0{site}{place}", 0.2, 1.0, 0.5)
        for place in "ed":
            w.catalyse(kinase, f"{p}A{site}0{place}", f"{p}A{site}1{place}", 0.2, 1.0, 0.5)
            w.catalyse(f"{p}PP1", f"{p}A{site}1{place}", f"{p}A{site}0{place}", 0.3, 1.0, 0.4)


def small() -> Wiring:
    """11 states: calmodulin with two sites, and a kinase that phosphorylates itself."""
    w = Wiring("small")
    _calcium(w)
    w.has(C0=10.0, K=20.0, PP1=1.0)
    w.bind("C0", "Ca", "C1", 5.0, 20.0)
    w.bind("C1", "Ca", "C2", 20.0, 50.0)
    w.bind("K", "C2", "KC2", 1.0, 0.5)
    w.go("KC2 KC2", "KpC2 KC2", "autophosphorylation", 0.3)
    w.go("KC2 KpC2", "KpC2 KpC2", "auto_p", 0.6)
    w.catalyse("PP1", "KpC2", "KC2", 0.5, 0.5, 0.6)
    return w


def medium() -> Wiring:
    """73 states: calmodulin with an N and a C lobe, alone and on CaMKII."""
    w = Wiring("medium")
    _calcium(w)
    w.has(C00=10.0, K=20.0, N=2.0)
    lobes = {"N": ((100.0, 500.0), (150.0, 250.0)), "C": ((5.0, 20.0), (10.0, 5.0))}
    for partner, slower in (("C", {"N": 1.0, "C": 1.0}), ("KC", {"N": 0.1, "C": 0.05})):
        for n in range(3):
            for c in range(3):
                for lobe, bound in (("N", n), ("C", c)):
                    if bound == 2:
                        continue
                    more = f"{partner}{n + (lobe == 'N')}{c + (lobe == 'C')}"
                    on, off = lobes[lobe][bound]
                    w.go(f"{partner}{n}{c} Ca", more, f"on{lobe}{bound}", on)
                    w.go(more, f"{partner}{n}{c}", f"off{lobe}{bound}{partner}", off * slower[lobe])
    for n in range(3):
        for c in range(3):
            w.bind("K", f"C{n}{c}", f"KC{n}{c}", 0.01 * 4.0 ** (n + c), 5.0 / (1.0 + n + c))
    w.bind("N", "C22", "NC22", 40.0, 0.1)
    w.bind("N", "C02", "NC02", 20.0, 2.0)
    w.bind("NC02", "Ca", "NC12", 50.0, 50.0)
    w.go("NC12 Ca", "NC22", "on_last", 50.0)
    w.go("NC22", "NC12 Ca", "off_last", 20.0)
    w.bind("Kp", "C22", "KpC22", 2.0, 0.05)
    _kinase_off(w, "", "KC22", "KpC22")
    _downstream(w, "", "NC22", "KpC22")
    return w


def large() -> Wiring:
    """230 states: spine and shaft, calmodulin with four sites, alone and on three partners."""
    w = Wiring("large")
    sites = {"w": (60.0, 600.0), "x": (90.0, 300.0), "y": (4.0, 20.0), "z": (9.0, 6.0)}
    states = ["".join(chosen) for k in range(5) for chosen in combinations(sites, k)]
    for p in ("s_", "d_"):
        _calcium(w, p)
        w.has(**{f"{p}C0": 10.0, f"{p}K": 20.0, f"{p}N": 2.0})
        for partner, slower in (("C", 1.0), ("KC", 0.1), ("KpC", 0.02), ("NC", 0.05)):
            for state in states:
                for site, (on, off) in sites.items():
                    if site not in state:
                        more = f"{p}{partner}{''.join(sorted(state + site))}"
                        w.go(f"{p}{partner}{state or 0} {p}Ca", more, f"on_{site}{p}", on)
                        w.go(more, f"{p}{partner}{state or 0}", f"off_{site}{partner}{p}", off * slower)
        for state in states:
            name, z = f"{p}C{state or 0}", len(state)
            w.bind(f"{p}K", name, f"{p}KC{state or 0}", 0.01 * 4.0**z, 5.0 / (1.0 + z))
            w.bind(f"{p}Kp", name, f"{p}KpC{state or 0}", 0.01 * 4.0**z, 1.0 / (1.0 + z) ** 2)
            w.bind(f"{p}N", name, f"{p}NC{state or 0}", 0.1 * 4.5**z, 5.0 / 2.5**z)
        _kinase_off(w, p, f"{p}KCwxyz", f"{p}KpCwxyz")
        _downstream(w, p, f"{p}NCwxyz", f"{p}KpCwxyz")
    for species in ("Ca", "cAMP", "PKA", "I", "Ip", "PP1", *(f"C{state or 0}" for state in states)):
        w.go(f"s_{species}", f"d_{species}", f"move_{species}", 20.0 if species == "Ca" else 1.0)
        w.go(f"d_{species}", f"s_{species}", f"move_{species}")
    for kind in ("00", "01", "10", "11"):
        w.go(f"s_A{kind}e", f"d_A{kind}e", "move_A", 0.01)
        w.go(f"d_A{kind}e", f"s_A{kind}e", "move_A")
    return w
