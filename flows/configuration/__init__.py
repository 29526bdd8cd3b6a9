"""What people write: settings, recipes, lexicons, secrets; every complaint names its line."""
