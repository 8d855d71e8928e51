"""One running `referral` per database, called over HTTP as anybody would."""
