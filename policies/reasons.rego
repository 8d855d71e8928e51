# Why, in sentences that a practitioner can read to a child: one for each rule that decided.
package homeward.sharing

# METADATA
# title: Why it was told
# scope: document
# custom:
#   source: design.md 6
release_reasons := [data.reasons.gates[opening_gate], data.reasons.released.gate] if {
	opening_gate
} else := [data.reasons.released.agreed] if {
	opened.agreed
} else := [data.reasons.released.self] if {
	recipient_type == "young_person"
} else := [data.reasons.released.always]

# METADATA
# title: Why it was not told
# scope: document
# custom:
#   source: design.md 6
refusal_reasons([]) := [data.reasons.denied[input.agreement.status]] if {
	count(cell.paths) > 0
} else := [data.reasons.denied.never]

refusal_reasons(rules) := array.concat(
	[data.reasons[rule] | some rule in rules],
	[data.reasons.denied.because],
) if {
	count(rules) > 0
}

# METADATA
# title: Why a person looks first
# scope: document
# custom:
#   source: design.md 6
hold_reasons([]) := [data.reasons.held]

hold_reasons(rules) := array.concat(
	[object.get(data.reasons.unknown, [rule], data.reasons[rule]) | some rule in rules],
	[data.reasons.waits],
) if {
	count(rules) > 0
}
