//! The integration tests: sites, tenants and coordinators over the real wire.

#[cfg(test)]
mod algorithms;
#[cfg(test)]
mod examples;
#[cfg(test)]
mod failure;
#[cfg(test)]
mod frames;
#[cfg(test)]
mod gate;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod isolation;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod ops;
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod programs;
#[cfg(test)]
mod tidy;
