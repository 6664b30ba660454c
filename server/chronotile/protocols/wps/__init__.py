"""WPS 2.0 (OGC 14-065) and 1.0.0 (OGC 05-007r7): the processes and jobs of OGC API - Processes in XML."""
