"""What tests of several members share: builders, contract suites, waiting."""
