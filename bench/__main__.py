"""`python -m bench [serve | limits | receipt | mail | outbound | webhooks | start | lighthouse]`: measurements, one `name: value` a line. What they mean: docs/performance.md."""

from argparse import ArgumentParser

from bench import lighthouse, limits, mail, outbound, receipt, serve, start, webhooks

SUBJECTS = {
    "serve": serve,
    "limits": limits,
    "receipt": receipt,
    "mail": mail,
    "outbound": outbound,
    "webhooks": webhooks,
    "start": start,
    "lighthouse": lighthouse,
}


def main() -> None:
    parser = ArgumentParser(prog="bench", description=__doc__)
    parser.set_defaults(run=None)
    subjects = parser.add_subparsers()
    for name, module in SUBJECTS.items():
        subject = subjects.add_parser(name, help=(module.__doc__ or "").splitlines()[0])
        module.add_arguments(subject)
        subject.set_defaults(run=module.main)
    options = parser.parse_args()
    if options.run is None:
        for name in SUBJECTS:
            parser.parse_args([name], namespace=options)
            options.run(options)
        return
    options.run(options)


if __name__ == "__main__":
    main()
