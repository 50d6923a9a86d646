"""What EC2 does and ministack does not: filters, pages, dependencies, quotas."""
