-- What holds for the whole server. Run by the superuser at each start; again it changes nothing.

REVOKE ALL ON DATABASE postgres FROM PUBLIC;
REVOKE ALL ON DATABASE template1 FROM PUBLIC;
