# The decision: one item, one recipient, one answer. The order of the rules is the precedence of
# sharing-rules.md 3.4; a release needs every step before it to be certain.
package homeward.sharing

# METADATA
# title: The decision
# description: Always there. What cannot be judged is held.
# scope: document
# entrypoint: true
# custom:
#   source: design.md 6; sharing-rules.md 3.4
decision := judged if {
	fits
} else := {
	"decision": "defer", "rule_ids": ["INCOMPLETE"], "gates_used": [], "basis": [],
	"transforms": [], "obligations": ["log_reason_share_or_not"],
	"reasons": [data.reasons.INCOMPLETE],
	"defer_to": {"owner": "dsl", "due_h": due_h},
	"policy_version": data.policy_version,
}

# METADATA
# title: The decision on a document that fits the contract
# scope: document
# custom:
#   source: sharing-rules.md 3.4, steps 1 to 6
judged := refused(hard_denies_that_are(2)) if {
	gravest == 2
} else := refused(["H1"]) if {
	h1 == "deny"
} else := held(["H1"], "dsl") if {
	h1 == "defer"
} else := released if {
	opened
	gravest == 0
	h1 == "none"
	asked_for == false
} else := held(array.concat(hard_denies_that_are(1), asked), owner_in_doubt("dpo")) if {
	opened
} else := held(["LOCKDOWN"], "dsl") if {
	unlocked == false
	2 in worth
} else := held([], owner_in_doubt(undecided_owner)) if {
	undecided_owner
} else := held(["SWEEP"], owner_in_doubt("dsl_and_ig")) if {
	sweep
} else := refused([]) if {
	text.known
} else := held([], owner_in_doubt("dsl"))

# METADATA
# title: The hard denies, in the order of their numbers
# custom:
#   source: sharing-rules.md 3.4, Hard denies
hard_denies := [hd1, hd2, hd3, hd4, hd5, hd6, hd7, hd8, hd9, hd10]

# METADATA
# title: True where one is true, false only where all are known and false
# custom:
#   source: sharing-rules.md 3.4, step 1
gravest := max(hard_denies)

# METADATA
# title: The names of the hard denies with this value
# custom:
#   source: sharing-rules.md 3.4, rule_ids
hard_denies_that_are(wanted) := [name |
	some i, name in ["HD1", "HD2", "HD3", "HD4", "HD5", "HD6", "HD7", "HD8", "HD9", "HD10"]
	hard_denies[i] == wanted
]

# METADATA
# title: A request that no law of requests covers
# scope: document
# custom:
#   source: sharing-rules.md 3.4, rule_ids
asked := [] if {
	asked_for == false
} else := ["REQ"]

# METADATA
# title: The owner of a hold, the DSL while a hard deny is unknown
# scope: document
# custom:
#   source: sharing-rules.md 3.4, defer_to
owner_in_doubt(owner) := owner if {
	gravest == 0
} else := "dsl"

# METADATA
# title: Who decides where it is not known whether a path is open
# custom:
#   source: sharing-rules.md 3.4, defer_to
undecided_owner := object.get(undecided, "owner", text.owner)

# METADATA
# title: A release
# custom:
#   source: sharing-rules.md 3.4, step 3
released := {
	"decision": verdict[count(transforms) > 0],
	"rule_ids": array.concat(named_gate, [row_id]),
	"gates_used": opened.gates,
	"basis": basis,
	"transforms": transforms,
	"obligations": release_obligations,
	"reasons": release_reasons,
	"defer_to": null,
	"policy_version": data.policy_version,
}

# METADATA
# title: Redacted is exactly released with at least one transform
# custom:
#   source: sharing-rules.md 3.4
verdict := {true: "allow_redacted", false: "allow"}

# METADATA
# title: The gate that opened, if one did
# scope: document
# custom:
#   source: sharing-rules.md 3.4, rule_ids
named_gate := [opening_gate] if {
	opening_gate
} else := []

# METADATA
# title: A refusal
# custom:
#   source: sharing-rules.md 3.4, steps 1, 2 and 6
refused(rules) := {
	"decision": "deny",
	"rule_ids": array.concat(rules, [row_id]),
	"gates_used": [],
	"basis": [],
	"transforms": [],
	"obligations": ["log_reason_share_or_not"],
	"reasons": refusal_reasons(rules),
	"defer_to": null,
	"policy_version": data.policy_version,
}

# METADATA
# title: A hold, with who works on it and by when
# custom:
#   source: sharing-rules.md 3.4, defer_to
held(rules, owner) := {
	"decision": "defer",
	"rule_ids": array.concat(rules, [row_id]),
	"gates_used": [],
	"basis": [],
	"transforms": [],
	"obligations": ["log_reason_share_or_not"],
	"reasons": hold_reasons(rules),
	"defer_to": {"owner": owner, "due_h": due_h},
	"policy_version": data.policy_version,
}
