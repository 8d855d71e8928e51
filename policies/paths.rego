# Which row of the table decides, which of its paths are for this recipient, and which are open.
package homeward.sharing

# METADATA
# title: The type of the recipient under its present name
# scope: document
# custom:
#   source: design.md 6
recipient_type := input.recipient.type if {
	data.recipients[input.recipient.type]
} else := present if {
	some present, about in data.recipients
	input.recipient.type in about.aliases
}

# METADATA
# title: The seat that paths name, an authority by its role and anybody else by type
# scope: document
# custom:
#   source: sharing-rules.md 3.4, Paths
seat := input.recipient.role if {
	recipient_type == "childrens_services"
} else := recipient_type

# METADATA
# title: The row that decides
# scope: document
# custom:
#   source: sharing-rules.md 3.3 and 3.4, Requests
row_id := "POL-12" if {
	recipient_type == "police"
	input.request.kind == "pull"
} else := "YP-01" if {
	recipient_type == "young_person"
} else := concat("-", [data.recipients[recipient_type].rows, data.row_number[input.item.category]])

# METADATA
# title: The row as data
# custom:
#   source: sharing-rules.md 3.3
row := data.table[row_id]

# METADATA
# title: The text of the row on the day
# description: >
#  The row itself, or the newest of its earlier texts. Before its first text a row opens nothing.
# scope: document
# custom:
#   source: sharing-rules.md 3.3, Make it editable
text := row if {
	input.law.as_of >= row.valid_from
} else := earlier if {
	some earlier in row.earlier
	input.law.as_of >= earlier.valid_from
}

# METADATA
# title: The paths of the row for this recipient
# scope: document
# custom:
#   source: sharing-rules.md 3.4, Paths
own_paths := [] if {
	input.item.category in row.not_for
} else := [path | some path in text.paths; seat in object.get(path, "for", [seat])]

# METADATA
# title: The paths that stand everywhere, for this recipient
# description: Counts and requests have no paths but their own.
# scope: document
# custom:
#   source: sharing-rules.md 3.4, Everywhere
everywhere := [] if {
	input.item.category == "aggregates"
} else := [] if {
	row_id == "POL-12"
} else := [path | some path in data.everywhere; seat in path.for]

# METADATA
# title: All paths, the row's own first
# custom:
#   source: sharing-rules.md 3.4, rule_ids
paths := array.concat(own_paths, everywhere)

# METADATA
# title: What each path is worth
# custom:
#   source: sharing-rules.md 3.4, Three values
worth := array.concat(
	[min([shared, path_worth(path)]) | some path in own_paths],
	[path_worth(path) | some path in everywhere],
)

# METADATA
# title: What the conditions before all paths of the row are worth
# scope: document
# custom:
#   source: sharing-rules.md 3.4, Paths
shared := weakest(text.every_path_needs) if {
	text.every_path_needs
} else := 2

# METADATA
# title: A path is worth what its weakest condition is
# scope: document
# custom:
#   source: sharing-rules.md 3.4, Three values
path_worth(path) := 0 if {
	# with an unverified channel only what is said to a known number counts
	by_voice_only
	not path.by_voice
} else := weakest(path.when)

# METADATA
# title: The open path with the fewest transforms, the first of several
# custom:
#   source: sharing-rules.md 3.4, step 3
opened := paths[best[1]] if {
	best := min([[count(paths[i].transforms), i] | some i; worth[i] == 2])
}

# METADATA
# title: The first path of which nobody knows yet whether it is open
# custom:
#   source: sharing-rules.md 3.4, step 4
undecided := paths[min([i | some i; worth[i] == 1])]

# METADATA
# title: The gates
# custom:
#   source: sharing-rules.md 3.2
gate_names := {"G1", "G2", "G3", "G4", "G5", "G6", "G7", "G8"}

# METADATA
# title: The gates written in a path, in order; one under `not` is never named
# custom:
#   source: sharing-rules.md 3.4, rule_ids
gates_written(path) := [name |
	some condition in path.when
	some name in as_list(condition)
	name in gate_names
]

# METADATA
# title: A condition as the list of its alternatives
# scope: document
# custom:
#   source: sharing-rules.md 3.4, Paths
as_list(condition) := condition.any if {
	condition.any
} else := [condition]
