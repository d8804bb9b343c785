# What the institutions hold for research.
nav-catalog = Data sets
catalog-title = Data sets of the network
catalog-all = Data sets of all institutions
catalog-lead = What the institutions hold for research, in words and in rounded counts with noise. No row is shown here or leaves an institution.
catalog-words = Words
catalog-find = Find
catalog-holder = Institution
catalog-any = Any
catalog-variable = Variable
catalog-empty = No data set is known that fits.
catalog-holders = Who holds it
catalog-people = People
catalog-people-about = about { $count } (± { $margin })
catalog-people-fewer = fewer than { $count }
catalog-complete = Values that are there
catalog-complete-help = The bars show in what share of the rows a value is there, rounded. Where there are too few people, nothing is said.
catalog-untold = not told
catalog-heard = As of
catalog-here = this institution
catalog-unreached = not reached at the moment
catalog-silent = Members that cannot be reached or have not told yet
catalog-last = last told
catalog-never = has not told anything yet
catalog-refresh = Ask all members again
catalog-apply = Apply for a project with it
catalog-values = Values
catalog-period = Time range
catalog-systems = Code systems
catalog-conditions = Conditions
catalog-contact = Contact
catalog-version = Version
catalog-documents = For programs:
project-next = Next
project-other-dataset = Choose another
project-adder = Adds up
project-other-adder = Adds up, too
catalog-found = { $count ->
    [one] one data set
   *[other] { $count } data sets
}
catalog-variables = { $count ->
    [one] one variable
   *[other] { $count } variables
}
catalog-more = { $count ->
    [one] One more is not shown; look for it.
   *[other] { $count } more are not shown; look for them.
}
analysis-regression = Regression
analysis-summary = Numbers, means and deviations
analysis-crosstab = Counts by categories
analysis-histogram = Histograms
analysis-quantiles = Quantiles
analysis-t-test = t test
analysis-paired-t = Paired t test
analysis-anova = Analysis of variance
analysis-chi-squared = χ² test
analysis-correlation = Correlation
analysis-rank-sum = Rank-sum test
analysis-survival = Survival curves
analysis-mixed = Mixed models
analysis-weighting = Propensity weighting
analysis-pca = Principal components
analysis-k-means = Clusters
analysis-validation = Validation of predictions
analysis-boosting = Boosted trees
analysis-perceptron = Small neural networks
analysis-meta-analysis = Meta-analysis
analysis-two-stage = Regression at each institution, then pooled
analysis-sql = SQL over the records, groups of people only
analysis-extract = Extracts: de-identified records of single people, as files at each institution asked
dataset-size-few = { $variables } variables, fewer than 10 rows
twin-title = Synthetic twin
twin-lead = Made-up rows that look like those of the data set and belong to nobody. Write and try your analysis with them outside; then ask the data set itself through a project.
twin-facts = ε = { $epsilon }, { $rows ->
    [one] one row
   *[other] { $rows } rows
}
twin-take = Download as CSV
twin-elsewhere = To be had there, signed in at that institution:
twin-first = Its first rows, all of them made up
twin-pairs = The relation of these variables is kept:
twin-help = The rows were drawn from counts with noise. What each variable looks like is about right, and so are the relations that are named; everything else is as if by chance. Nothing may be concluded from a twin about people.
