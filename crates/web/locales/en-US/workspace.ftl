# SQL over the records, for researchers.
nav-workspace = Workspace
workspace-title = Workspace
workspace-lead = Ask the records of this institution by SQL. You see counts, means and other aggregates over people, and never a row.
workspace-closed = The tables cannot be shown:
workspace-fault = The query is not answered:
workspace-sql = Query
workspace-sql-hint = One SELECT with an aggregate, grouped by what you like. Patients who do not take part in research are not in it.
workspace-run = Run
workspace-csv = Save as CSV
workspace-found = Groups found
workspace-least = Groups of fewer than { $people } people are left out, and values about fewer are empty.
workspace-left-out = { $groups ->
    [one] One group is left out: beside an earlier answer it would show fewer than { $people } people.
   *[other] { $groups } groups are left out: beside earlier answers they would show fewer than { $people } people.
}
workspace-as-of = Since an earlier answer too few people came or went to tell of them. This is of the records as they were:
workspace-none = No group has enough people.
workspace-more = The first { $lines } lines. The file has all.
workspace-picture = { $number } by { $group }
workspace-true = yes
workspace-false = no
workspace-examples = To begin with
workspace-example-people = People by gender
workspace-example-conditions = The conditions that most people have
workspace-example-pressure = Mean systolic blood pressure by gender
workspace-example-cohort = People with type 2 diabetes, by gender
workspace-projects = Your projects
workspace-projects-none = No project of yours allows it here. Apply for one that names “sql” among its analyses and this institution among its holders.
workspace-tables = Tables
workspace-tables-help = Join them by keys of the same name. A key can be counted and joined by, and nothing else.
workspace-key = key
