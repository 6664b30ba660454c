-- Keycloak's own, beside the one of the jobs, keys and items of maps.
CREATE DATABASE keycloak;
