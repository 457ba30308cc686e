# Makes proc.csv: what the R package pROC (1.18.0) says of samples.csv. DeLong's
# standard error and interval of each AUC, and the paired test.
#
#     apt install r-base-core r-cran-proc
#     Rscript reference.R
suppressMessages(library(pROC))

samples <- read.csv("samples.csv")
rows <- list()
for (name in unique(samples$case)) {
  s <- samples[samples$case == name, ]
  a <- roc(s$label, s$a, levels = c(0, 1), direction = "<", quiet = TRUE)
  b <- roc(s$label, s$b, levels = c(0, 1), direction = "<", quiet = TRUE)
  ci_a <- suppressWarnings(ci.auc(a, method = "delong"))
  ci_b <- suppressWarnings(ci.auc(b, method = "delong"))
  test <- suppressWarnings(roc.test(a, b, method = "delong", paired = TRUE))
  interval <- if (is.null(test$conf.int)) c(NA, NA) else test$conf.int
  rows[[name]] <- data.frame(
    case = name,
    auc_a = auc(a), error_a = sqrt(var(a, method = "delong")), low_a = ci_a[1], high_a = ci_a[3],
    auc_b = auc(b), error_b = sqrt(var(b, method = "delong")), low_b = ci_b[1], high_b = ci_b[3],
    z = test$statistic, p = test$p.value, low = interval[1], high = interval[2])
}
options(digits = 17)
write.csv(do.call(rbind, rows), "proc.csv", row.names = FALSE, quote = FALSE)
cat(as.character(packageVersion("pROC")), "\n")
