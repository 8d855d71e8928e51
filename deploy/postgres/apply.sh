#!/bin/sh
# Make the roles and databases of the services named as arguments; passwords are files beside the
# superuser's, `<service>.password`. Connects as PGHOST and the other variables of libpq say.
set -eu
secrets=/run/secrets/homeward
sql=$(dirname "$0")
PGPASSWORD=$(cat "$secrets/postgres.password")
export PGPASSWORD

run() { psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username postgres --dbname postgres "$@"; }

run --file "$sql/cluster.sql"
for service in "$@"; do
    # the password goes in by standard input: an argument could be read in the list of processes
    { printf "\\\\set password '%s'\n" "$(cat "$secrets/$service.password")"; cat "$sql/service.sql"; } |
        run --set "role=homeward_$service" > /dev/null
    echo "homeward_$service is there"
done
