"""What CloudFormation does and ministack does not: types, checks, dependencies, failures that a test has ordered."""
