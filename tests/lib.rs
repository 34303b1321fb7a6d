//! For all: properties, conformance, whole processes, tidiness. The tests are the targets beside this file.
