"""Behavioural tests (after CheckList, Ribeiro et al. 2020), and fairness by counterfactuals."""
