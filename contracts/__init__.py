"""What services say to each other: facts in the past tense: ids, codes and times."""
