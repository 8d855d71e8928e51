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
# title: The text of the row on the day
# description: >
#  The row itself, or the newest of its earlier texts, as it was made ready to be looked up
#  (homeward/engine/rows.py). Before its first text a row opens nothing.
# scope: document
# custom:
#   source: sharing-rules.md 3.3, Make it editable
text := data.cells[row_id][0] if {
	input.law.as_of >= data.cells[row_id][0].from
} else := [one | some one in data.cells[row_id]; input.law.as_of >= one.from][0]

# METADATA
# title: What the row has for this recipient, its own paths and then those that stand everywhere
# scope: document
# custom:
#   source: sharing-rules.md 3.4, Paths and Everywhere
cell := {"paths": []} if {
	input.item.category in data.table[row_id].not_for
} else := object.get(text.seats, [seat], text.seats["*"])

# METADATA
# title: What each path is worth
# description: With an unverified channel only what is said to a known number counts.
# scope: document
# custom:
#   source: sharing-rules.md 3.4, Three values and HD2
worth := [heard |
	some i, path in cell.paths
	heard := {true: written[i], false: 0}[path.by_voice]
] if {
	by_voice_only
	written := data.homeward.rows.worth[row_id][cell.text][cell.seat]
} else := data.homeward.rows.worth[row_id][cell.text][cell.seat]

# METADATA
# title: The open path with the fewest transforms, the first of several
# description: During a lockdown only a path that immediate danger opens is open.
# scope: document
# custom:
#   source: sharing-rules.md 3.4, step 3; design.md 5 for the lockdown
opened := cell.paths[[i | some i in cell.fewest_first; worth[i] == 2][0]] if {
	unlocked
	2 in worth
} else := cell.paths[[i | some i in cell.fewest_first; worth[i] == 2; "G4" in cell.paths[i].gates][0]] if {
	g4 == 2
}

# METADATA
# title: No lockdown
# description: True only where the switch says so; a switch that is missing or says anything else is on.
# scope: document
# custom:
#   source: design.md 5
default unlocked := false

unlocked if data.lockdown == false

# METADATA
# title: The first path of which nobody knows yet whether it is open
# custom:
#   source: sharing-rules.md 3.4, step 4
undecided := cell.paths[min([i | some i; worth[i] == 1])] if 1 in worth
