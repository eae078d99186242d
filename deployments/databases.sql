-- A database for each server, as compose.yaml's PostgreSQL makes them once, when its volume is new.
CREATE DATABASE prefect;
CREATE DATABASE mlflow;
