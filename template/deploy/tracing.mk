# A profile of Compose brings the collector that traces are sent to.
ifdef PROFILE
compose-up: export OTEL_ENABLED = true
endif
