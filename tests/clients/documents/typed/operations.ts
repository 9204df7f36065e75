// What an application asks for. Fragments say what each of its parts shows.
import { graphql } from './generated/index.js';

export const SubjectRow = graphql(`
  fragment SubjectRow on Subject {
    source
    name
    sex
    birthDate
    age
    createdAt
    metadata
    tags
  }
`);

export const List = graphql(`
  query List($first: Int!, $after: String, $filter: SubjectFilter, $orderBy: SubjectOrder) {
    subjects(first: $first, after: $after, filter: $filter, orderBy: $orderBy) {
      totalCount
      edges {
        node {
          id
          ...SubjectRow
        }
      }
      pageInfo {
        hasNextPage
        endCursor
      }
      sources {
        source
        status
      }
    }
  }
`);

export const One = graphql(`
  query One($by: SubjectBy!) {
    subject(by: $by) {
      id
      ...SubjectRow
      projects {
        id
        name
      }
    }
  }
`);

export const AnyKind = graphql(`
  query AnyKind($ids: [ID!]!) {
    nodes(ids: $ids) {
      __typename
      id
      ... on Subject {
        name
      }
      ... on Project {
        description
      }
    }
  }
`);

export const Create = graphql(`
  mutation Create($input: SubjectCreateInput!) {
    subjectCreate(input: $input) {
      subject {
        id
        ...SubjectRow
      }
      userErrors {
        code
        message
        field
      }
    }
  }
`);

export const Changes = graphql(`
  subscription Changes($ids: [ID!]) {
    subjectChanged(ids: $ids) {
      kind
      id
      at
      subject {
        id
        ...SubjectRow
      }
    }
  }
`);
